"""A client that is gone without a word is noticed by its pongs, and nobody goes on working for it (F23)."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from dialtone.gateway.settings import GatewaySettings
from dialtone.local.call.recording import Recording
from dialtone.local.state import StackState
from tests.fixtures.gateway_processes import GatewayProcess, joining
from tests.fixtures.waiting import eventually

PING_S = 1.0
WORK_S = 1.0  # that work may go on for after the call has ended
SLACK_S = 5.0  # for a machine that has other things to do
Doing = Callable[[Recording], tuple[list[str], str]]
REALTIME = "/v1/realtime?model=default"


def speaking(question: Recording) -> tuple[list[str], str]:
    """What a client sends that is in the middle of a sentence, and the last that it reads."""
    spoken = [b64encode(piece).decode() for piece in question.at_rate(24_000).frames()]
    appends = [{"type": "input_audio_buffer.append", "audio": audio} for audio in spoken]
    return [
        json.dumps(append) for append in appends[: len(appends) // 2]
    ], "input_audio_buffer.speech_started"


def listening(_question: Recording) -> tuple[list[str], str]:
    """What a client sends that is told something, and the last that it reads."""
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
    create = json.dumps({"type": "conversation.item.create", "item": said})
    return [create, '{"type": "response.create"}'], "response.output_audio.delta"


async def total(url: str, metric: str) -> float:
    async with httpx.AsyncClient() as http:
        lines = (await http.get(f"{url}/metrics")).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))


async def none_left(url: str, metric: str, *, within_s: float) -> None:
    async def none() -> bool:
        return await total(url, metric) == 0

    await eventually(none, within_s=within_s)


async def vanish(gateway: GatewayProcess, sent: list[str], last: str) -> ClientConnection:
    """A connection that says nothing more, no pong either, and reads nothing after this has come."""
    socket = await connect(gateway.socket_url + REALTIME, compression=None, ping_interval=None)
    for message in sent:
        await socket.send(message)
    async with asyncio.timeout(60):
        while json.loads(await socket.recv())["type"] != last:
            pass
    socket.transport.pause_reading()
    return socket


@pytest.mark.parametrize("doing", [speaking, listening])
async def test_a_client_that_vanished_is_gone_in_time_and_so_is_all_work_for_it(
    stack: StackState, tmp_path: Path, question: Recording, doing: Doing
) -> None:
    async with joining(stack, tmp_path, PING_S=str(PING_S)) as gateway:
        socket = await vanish(gateway, *doing(question))
        assert await total(gateway.url, "dialtone_gateway_active_calls") == 1
        await none_left(gateway.url, "dialtone_gateway_active_calls", within_s=2 * PING_S + SLACK_S)
        for name in ("vad-asr", "llm", "tts"):
            url = stack.processes[name].url
            await none_left(url, "dialtone_work_in_progress", within_s=WORK_S + SLACK_S)
        socket.transport.abort()


def test_by_default_that_takes_ten_seconds() -> None:
    assert GatewaySettings().ping_s == 5
