"""A gateway that is told to stop: no new calls, nothing that goes on is cut short, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dialtone.local.state import StackState
from tests.fixtures.gateway_processes import GatewayProcess, joining
from tests.fixtures.waiting import eventually

from .voice_caller import read_session

SERVICE_RESTART = 1012


def realtime(gateway: GatewayProcess) -> connect:
    return connect(f"{gateway.socket_url}/v1/realtime?model=default", compression=None, max_size=2**24)


async def event(socket: ClientConnection, kind: str) -> Any:
    """The next event of this type; others are passed over."""
    async with asyncio.timeout(30):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


async def ask(socket: ClientConnection, text: str) -> None:
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": said}))
    await socket.send('{"type": "response.create"}')


async def rest_of(socket: ClientConnection) -> list[dict[str, Any]]:
    """All events up to the end of the connection."""
    events = []
    with suppress(ConnectionClosed):
        async with asyncio.timeout(30):
            while True:
                events.append(json.loads(await socket.recv()))
    return events


async def status_of(socket: connect) -> tuple[int, str]:
    """The status of a handshake that is refused, and when to come back."""
    with pytest.raises(InvalidStatus) as refused:
        async with socket:
            pytest.fail("it was let in")
    return refused.value.response.status_code, refused.value.response.headers.get("Retry-After", "")


async def test_an_answer_is_delivered_to_its_end_and_the_client_goes_on_at_another_gateway(
    stack: StackState, tmp_path: Path
) -> None:
    async with joining(stack, tmp_path) as gateway, realtime(gateway) as socket:
        session_id = (await event(socket, "session.created"))["session"]["id"]
        await ask(socket, "Hello")
        await event(socket, "response.output_audio.delta")
        gateway.send(signal.SIGTERM)

        async def refusing() -> bool:
            return not await gateway.ready()

        await eventually(refusing)
        assert await status_of(realtime(gateway)) == (503, "5")
        assert await status_of(connect(f"{gateway.socket_url}/chat/voice_call")) == (503, "5")
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{gateway.url}/readyz")
            assert answer.json()["checks"]["not_draining"] is False
            assert (await http.get(f"{gateway.url}/livez")).status_code == 200

        events = await rest_of(socket)
        done = [e["response"] for e in events if e["type"] == "response.done"]
        assert [response["status"] for response in done] == ["completed"]
        assert (socket.close_code, socket.close_reason) == (
            SERVICE_RESTART,
            "the service restarts, call again",
        )
        status, took_s = await gateway.ended()
        assert (status, took_s < 8) == (0, True)  # not after the grace of ten seconds

    other = f"{stack.url.replace('http', 'ws', 1)}/v1/realtime?session_id={session_id}"
    async with connect(other, compression=None) as back:
        assert (await event(back, "session.created"))["session"]["id"] == session_id
        said = done[0]["output"][0]
        retrieve = {"type": "conversation.item.retrieve", "item_id": said["id"]}
        await back.send(json.dumps(retrieve))
        found = (await event(back, "conversation.item.retrieved"))["item"]
        assert found["content"][0]["transcript"] == said["content"][0]["transcript"]
    messages = (await read_session(stack.url, session_id))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"]


async def test_calls_in_which_nothing_goes_on_are_sent_away_at_once(
    stack: StackState, tmp_path: Path
) -> None:
    address = "/chat/voice_call"
    async with joining(stack, tmp_path) as gateway:
        async with (
            realtime(gateway) as silent,
            connect(f"{gateway.socket_url}{address}") as unnamed,
        ):
            await event(silent, "session.created")
            logged = len(gateway.log.read_text())
            gateway.send(signal.SIGTERM)
            assert await rest_of(silent) == []
            assert await rest_of(unnamed) == []
            assert [silent.close_code, unnamed.close_code] == [SERVICE_RESTART] * 2
        assert (await gateway.ended())[0] == 0
        assert '"level": "error"' not in gateway.log.read_text()[logged:]


async def test_an_answer_longer_than_the_grace_is_cut_and_kept_as_far_as_it_was_heard(
    stack: StackState, tmp_path: Path
) -> None:
    async with joining(stack, tmp_path, DRAIN_GRACE_S="0.3") as gateway, realtime(gateway) as socket:
        session_id = (await event(socket, "session.created"))["session"]["id"]
        await ask(socket, "Tell me a long story. " * 30)
        await event(socket, "response.output_audio.delta")
        gateway.send(signal.SIGTERM)
        events = await rest_of(socket)
        assert socket.close_code == SERVICE_RESTART
        assert sum(e["type"] == "response.done" for e in events) <= 1
        status, took_s = await gateway.ended()
        assert (status, took_s < 8) == (0, True)
    messages = (await read_session(stack.url, session_id))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"]


async def test_a_second_signal_ends_the_process_at_once(stack: StackState, tmp_path: Path) -> None:
    async with joining(stack, tmp_path) as gateway, realtime(gateway) as socket:
        await event(socket, "session.created")
        await ask(socket, "Tell me a long story. " * 30)
        await event(socket, "response.output_audio.delta")
        gateway.send(signal.SIGTERM)

        async def draining() -> bool:
            return not await gateway.ready()

        await eventually(draining)
        gateway.send(signal.SIGTERM)
        status, took_s = await gateway.ended()
        assert (status, took_s < 5) == (128 + signal.SIGTERM, True)
        await rest_of(socket)
        assert socket.close_code in (None, 1006)
