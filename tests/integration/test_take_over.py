"""A client that comes back has its session at once, wherever; who had it is told, and writes no more."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dialtone.local.state import StackState
from tests.fixtures.gateway_processes import GatewayProcess, joining
from tests.fixtures.waiting import eventually

from .voice_caller import read_session, voice_calling

AT_ONCE_S = 0.8  # less than the second in which an old call may leave
TRIES = 3  # on a machine that has other things to do; one of them at least is to be as quick


@pytest.fixture
async def gateway(stack: StackState, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    """A gateway beside the stack's own."""
    async with joining(stack, tmp_path) as one:
        yield one


def realtime(url: str, session_id: str = "") -> connect:
    query = f"session_id={session_id}" if session_id else "model=default"
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?{query}"
    return connect(address, compression=None, max_size=2**24)


async def event(socket: ClientConnection, kind: str) -> Any:
    """The next event of this type; others are passed over."""
    async with asyncio.timeout(30):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


async def begin(socket: ClientConnection) -> str:
    session_id: str = (await event(socket, "session.created"))["session"]["id"]
    return session_id


async def say(socket: ClientConnection, text: str) -> None:
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": said}))


async def taken_away(socket: ClientConnection) -> None:
    """Read to the end of a call that is displaced, and told so."""
    events: list[dict[str, Any]] = []
    with suppress(ConnectionClosed):
        async with asyncio.timeout(30):
            while True:
                events.append(json.loads(await socket.recv()))
    assert (socket.close_code, socket.close_reason) == (1008, "session taken over")
    errors = [e["error"]["code"] for e in events if e["type"] == "error"]
    assert errors == ["session_taken_over"]


async def texts_of(url: str, session_id: str) -> list[str]:
    return [message["content"] for message in (await read_session(url, session_id))["messages"]]


async def said(url: str, session_id: str, times: int) -> bool:
    return len(await texts_of(url, session_id)) == times


async def test_a_client_that_was_lost_in_an_answer_goes_on_at_another_gateway_at_once(
    stack: StackState, gateway: GatewayProcess
) -> None:
    took = []
    async with AsyncExitStack() as held:
        for _ in range(TRIES):
            lost = await held.enter_async_context(realtime(gateway.url))
            session_id = await begin(lost)
            await say(lost, "Tell me a story.")
            await lost.send('{"type": "response.create"}')
            await event(lost, "response.output_audio.delta")
            since = time.monotonic()
            back = await held.enter_async_context(realtime(stack.url, session_id))
            assert await begin(back) == session_id
            took.append(time.monotonic() - since)
            await taken_away(lost)
            roles = [m["role"] for m in (await read_session(stack.url, session_id))["messages"]]
            assert roles == ["user", "assistant"]  # as far as it was heard
            await say(back, "Go on.")
            await eventually(partial(said, gateway.url, session_id, 3))
            assert (await texts_of(gateway.url, session_id))[-1] == "Go on."
    assert min(took) < AT_ONCE_S, took


async def test_the_dialects_take_over_from_each_other_at_one_gateway(stack: StackState) -> None:
    async with realtime(stack.url) as first:
        session_id = await begin(first)
        async with voice_calling(stack.url, session_id) as second:
            await second.send(bytes(640))
            await taken_away(first)
            await second.socket.send("what is no frame, its call answers")
            assert (await second.error())["code"] == 500
            async with realtime(stack.url, session_id) as third:
                await begin(third)
                assert (await second.error())["code"] == 409
                assert await second.read_to_the_end() == 1008
                await say(third, "Hello")
                await event(third, "conversation.item.done")


async def test_a_killed_gateways_sessions_are_free_at_once(
    stack: StackState, gateway: GatewayProcess
) -> None:
    sessions, took = [], []
    async with AsyncExitStack() as held:
        for _ in range(TRIES):
            lost = await held.enter_async_context(realtime(gateway.url))
            sessions.append(await begin(lost))
            await say(lost, "Remember me.")
            await eventually(partial(said, stack.url, sessions[-1], 1))
        gateway.send(signal.SIGKILL)
        await gateway.ended()
        for session_id in sessions:
            since = time.monotonic()
            async with realtime(stack.url, session_id) as back:
                await begin(back)
                took.append(time.monotonic() - since)
            assert await texts_of(stack.url, session_id) == ["Remember me."]
    assert min(took) < AT_ONCE_S, took


async def test_a_gateway_that_was_frozen_writes_no_more_to_a_session_that_it_lost(
    stack: StackState, gateway: GatewayProcess
) -> None:
    async with realtime(gateway.url) as frozen:
        session_id = await begin(frozen)
        await say(frozen, "One")
        await eventually(partial(said, stack.url, session_id, 1))
        gateway.send(signal.SIGSTOP)
        await say(frozen, "Too late")
        since = time.monotonic()
        async with realtime(stack.url, session_id) as back:
            await begin(back)
            assert 0.9 < time.monotonic() - since < 4.5  # before its claim has run out
            await say(back, "Two")
            await event(back, "conversation.item.done")
            gateway.send(signal.SIGCONT)
            await taken_away(frozen)
            await say(back, "Three")
            await eventually(partial(said, stack.url, session_id, 3))
            assert await texts_of(stack.url, session_id) == ["One", "Two", "Three"]


@pytest.mark.parametrize(
    "rounds", [5, pytest.param(250, marks=[pytest.mark.chaos, pytest.mark.timeout(1800)])]
)
async def test_of_many_that_come_back_at_once_one_has_the_session_and_all_others_are_told(
    stack: StackState, gateway: GatewayProcess, rounds: int
) -> None:
    async with realtime(stack.url) as first:
        session_id = await begin(first)
    for round_ in range(rounds):
        sockets = [realtime(url, session_id) for url in (stack.url, gateway.url) * 2]
        opened = await asyncio.gather(*(socket.__aenter__() for socket in sockets), return_exceptions=True)
        calls = [one for one in opened if isinstance(one, ClientConnection)]
        assert all(isinstance(one, ClientConnection | InvalidStatus) for one in opened), opened
        reading = {asyncio.create_task(taken_away(call)): call for call in calls}
        waiting = set(reading)
        async with asyncio.timeout(10):
            while len(waiting) > 1:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    await task
        await say(reading[waiting.pop()], "Mine")
        await eventually(partial(said, stack.url, session_id, round_ + 1))
        assert sum(not task.done() for task in reading) == 1
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        await asyncio.gather(*(call.close() for call in calls))
    assert await texts_of(stack.url, session_id) == ["Mine"] * rounds


async def test_where_it_is_configured_the_second_call_is_refused(stack: StackState, tmp_path: Path) -> None:
    async with (
        joining(stack, tmp_path, SESSION_TAKEOVER="refuse") as refusing,
        realtime(stack.url) as first,
    ):
        session_id = await begin(first)
        with pytest.raises(InvalidStatus) as refused:
            async with realtime(refusing.url, session_id):
                pytest.fail("it was let in")
        assert refused.value.response.status_code == 409
        async with voice_calling(refusing.url, session_id) as second:
            await second.send(bytes(640))
            assert (await second.error())["code"] == 409
            assert await second.read_to_the_end() == 1008
        await first.send('{"type": "input_audio_buffer.clear"}')
        await event(first, "input_audio_buffer.cleared")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_even_then_nobody_waits_for_a_gateway_that_is_gone_longer_than_its_beat_lasts(
    stack: StackState, tmp_path: Path, how: signal.Signals
) -> None:
    short = {"CALL_CLAIM_TTL_S": "1.5"}
    async with (
        joining(stack, tmp_path / "a", SESSION_TAKEOVER="refuse", **short) as gone,
        joining(stack, tmp_path / "b", SESSION_TAKEOVER="refuse") as refusing,
        realtime(gone.url) as lost,
    ):
        session_id = await begin(lost)
        await asyncio.sleep(2.0)  # its claim is older than a beat, and as good
        with pytest.raises(InvalidStatus):
            async with realtime(refusing.url, session_id):
                pytest.fail("it was let in")
        gone.send(how)

        async def let_in() -> bool:
            with suppress(InvalidStatus):
                await held.enter_async_context(realtime(refusing.url, session_id))
                return True
            return False

        async with AsyncExitStack() as held:
            await eventually(let_in, within_s=1.5 + 3 * 1.0 + 1.0)
            if how is signal.SIGSTOP:
                gone.send(signal.SIGCONT)
                await taken_away(lost)
