"""A session that is deleted ends the call that it has, on whichever gateway, and nothing of it comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dialtone.local.state import StackState
from tests.fixtures.gateway_processes import GatewayProcess, joining
from tests.fixtures.waiting import eventually

from .test_take_over import begin, event, realtime, say
from .voice_caller import new_session, voice_calling


@pytest.fixture
async def gateway(stack: StackState, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    """A gateway beside the stack's own."""
    async with joining(stack, tmp_path) as one:
        yield one


async def delete(url: str, session_id: str) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.delete(f"{url}/v1/sessions/{session_id}")
    assert answer.status_code == 204


async def ended_as_deleted(socket: ClientConnection) -> None:
    """Read to the end of a call whose session was deleted, and which was told so."""
    errors = []
    with suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                message = json.loads(await socket.recv())
                if message["type"] == "error":
                    errors.append(message["error"]["code"])
    assert errors == ["session_deleted"]
    assert (socket.close_code, socket.close_reason) == (1008, "session deleted")


async def left(stack: StackState, session_id: str) -> bool:
    """Whether something is kept of the session still."""
    redis = Redis.from_url(stack.redis_url)
    keys = await redis.exists(f"dialtone:default:session:{session_id}", f"dialtone:default:call:{session_id}")
    await redis.aclose()
    async with httpx.AsyncClient() as http:
        found = await http.get(f"{stack.url}/v1/sessions/{session_id}")
    return bool(keys) or found.status_code != 404


async def nothing_left(stack: StackState, session_id: str) -> bool:
    return not await left(stack, session_id)


async def test_a_session_deleted_at_another_gateway_ends_its_call_silent_or_in_the_middle_of_an_answer(
    stack: StackState, gateway: GatewayProcess
) -> None:
    async with realtime(gateway.url) as socket:
        await delete(stack.url, await begin(socket))
        await ended_as_deleted(socket)
    async with realtime(gateway.url) as socket:
        session_id = await begin(socket)
        await say(socket, "Tell me a story.")
        await socket.send('{"type": "response.create"}')
        await event(socket, "response.output_audio.delta")
        await delete(stack.url, session_id)
        await ended_as_deleted(socket)
    await eventually(partial(nothing_left, stack, session_id))
    with pytest.raises(InvalidStatus) as refused:
        async with realtime(gateway.url, session_id):
            pytest.fail("it was let in")
    assert refused.value.response.status_code == 404


async def test_a_voice_call_is_told_that_its_session_is_not_there_any_more(stack: StackState) -> None:
    session = await new_session(stack.url)
    async with voice_calling(stack.url, session["id"]) as caller:
        await caller.send(bytes(640))
        await caller.socket.send("what is no frame, its call answers")
        assert (await caller.error())["code"] == 500
        await delete(stack.url, session["id"])
        assert (await caller.error())["code"] == 404
        assert await caller.read_to_the_end() == 1008


async def test_a_call_that_could_not_be_told_ends_with_the_first_that_it_would_store(
    stack: StackState,
) -> None:
    async with realtime(stack.url) as socket:
        session_id = await begin(socket)
        redis = Redis.from_url(stack.redis_url)
        await redis.delete(f"dialtone:default:call:{session_id}")  # who has it is not known any more
        await redis.aclose()
        await delete(stack.url, session_id)
        with suppress(ConnectionClosed):  # it was told after all: its gateway has just renewed its claim
            await say(socket, "Hello")
        await ended_as_deleted(socket)
    await eventually(partial(nothing_left, stack, session_id))
