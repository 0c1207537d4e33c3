"""What was said, heard, asked for or written down is in no log, no measurement and no trace (S20)."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from dialtone.local.call.recording import Recording
from dialtone.local.state import StackState
from tests.fixtures.chat_server import ChatServer, Reply
from tests.fixtures.stack import running
from tests.fixtures.trace_collector import TraceCollector

CANARY = "the walrus paid with 4929 1234"
SOUND = base64.b64encode(CANARY.encode() * 40).decode()  # as good as any to those who do not listen
HEARD = "response.done"


async def until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


def quoting() -> Reply:
    """The refusal of a model's server that repeats what it was asked."""
    error = {"message": f"cannot answer '{CANARY}'", "code": "invalid_prompt"}
    return Reply([json.dumps({"error": error}).encode()], status=400, content_type="application/json")


async def talk(stack: StackState, chat_server: ChatServer, question: Recording) -> tuple[str, str]:
    """Say it in every place there is; the session, and what the assistant said to it."""
    url = stack.url.replace("http", "ws", 1)
    tool = {"type": "function", "name": "pay", "description": CANARY, "parameters": {"type": "object"}}
    async with connect(f"{url}/v1/realtime?model=default", compression=None) as socket:
        session_id: str = json.loads(await socket.recv())["session"]["id"]
        by_hand = {"input": {"turn_detection": None}}
        session = {"type": "realtime", "instructions": CANARY, "tools": [tool], "audio": by_hand}
        await socket.send(json.dumps({"type": "session.update", "session": session}))
        await until(socket, "session.updated")
        content = [{"type": "input_text", "text": CANARY}]
        item = {"type": "message", "role": "user", "content": content}
        await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        response = {"instructions": CANARY, "metadata": {"note": CANARY}}
        await socket.send(json.dumps({"type": "response.create", "response": response}))
        await until(socket, HEARD)
        spoken = [base64.b64encode(piece).decode() for piece in question.at_rate(24_000).frames()]
        for audio in [SOUND] * 20 + spoken:
            await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        for kind in ("input_audio_buffer.commit", "response.create"):
            await socket.send(json.dumps({"type": kind}))
        answer = await until(socket, HEARD)
        for wrong in (
            CANARY,
            json.dumps({"type": CANARY}),
            json.dumps({"type": "session.update", CANARY: 1}),
        ):
            await socket.send(wrong)
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": f"?{CANARY}"}))
        await until(socket, "error")
        chat_server.script.append(quoting())
        await socket.send(json.dumps({"type": "response.create"}))
        assert (await until(socket, HEARD))["response"]["status"] == "failed"
    transcript: str = answer["response"]["output"][0]["content"][0]["transcript"]
    return session_id, transcript


async def recognised(stack: StackState, session_id: str) -> str:
    """What the ears took the sound for."""
    async with httpx.AsyncClient(base_url=stack.url) as http:
        messages = (await http.get(f"/v1/sessions/{session_id}")).json()["messages"]
    (words,) = {m["content"] for m in messages if m["role"] == "user"} - {CANARY}
    return str(words)


@pytest.mark.timeout(180)
async def test_no_word_and_no_sound_is_in_a_log_a_measurement_or_a_trace(
    tmp_path: Path,
    chat_server: ChatServer,
    trace_collector: TraceCollector,
    question: Recording,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in chat_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", trace_collector.url)
    with running("simulated", tmp_path / "run") as stack:
        session_id, said = await talk(stack, chat_server, question)
        heard = await recognised(stack, session_id)
        assert min(len(said), len(heard)) > 15, heard
        async with httpx.AsyncClient() as http:
            urls = [stack.url, *(process.url for process in stack.processes.values() if process.url)]
            measured = [(await http.get(f"{url}/metrics")).text for url in dict.fromkeys(urls)]
    logs = [path.read_text(errors="replace") for path in sorted((tmp_path / "run").rglob("*.log"))]
    assert len(logs) >= 4
    assert any("call opened" in log for log in logs)
    assert any("server failed" in log for log in logs)
    traces = str(trace_collector.spans)  # all of them: the processes have ended
    assert '"chat' in traces
    secrets = [CANARY, base64.b64encode(CANARY.encode()).decode()[:24], *said.split(". "), heard]
    for text in [*logs, *measured, traces]:
        assert [secret for secret in secrets if secret in text] == []
