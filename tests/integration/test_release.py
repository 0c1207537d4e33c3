"""Calls of every ending leave nothing behind: no call, no lease, no claim, no subscription."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dialtone.local.call.recording import Recording
from dialtone.local.state import StackState
from tests.fixtures.gateway_processes import joining
from tests.fixtures.waiting import eventually

from .voice_caller import new_session, voice_calling

ROUNDS = 4
WORKERS = ("vad-asr", "llm", "tts")


def realtime(stack: StackState) -> connect:
    address = f"{stack.url.replace('http', 'ws', 1)}/v1/realtime?model=default"
    return connect(address, compression=None, max_size=2**24)


async def until(socket: ClientConnection, kind: str) -> None:
    came: list[str] = []
    try:
        async with asyncio.timeout(30):
            while not came or f'"{kind}"' not in came[-1]:
                came.append(str(await socket.recv())[:300])
    except TimeoutError:
        pytest.fail(f"no {kind} after {came[-8:]}")


async def ask_in_text(socket: ClientConnection) -> None:
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": said}))
    await socket.send('{"type": "response.create"}')


async def speak(socket: ClientConnection, recording: Recording) -> None:
    for frame in recording.at_rate(24_000).frames():
        audio = b64encode(frame).decode()
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


async def closed_at_once(stack: StackState, _question: Recording) -> None:
    async with realtime(stack) as socket:
        await until(socket, "session.created")


async def gone_without_a_word(stack: StackState, question: Recording) -> None:
    async with realtime(stack) as socket:
        await speak(socket, question)
        socket.transport.abort()


async def closed_in_the_answer(stack: StackState, _question: Recording) -> None:
    async with realtime(stack) as socket:
        await ask_in_text(socket)
        await until(socket, "response.output_audio.delta")


async def gone_in_the_answer(stack: StackState, _question: Recording) -> None:
    async with realtime(stack) as socket:
        await ask_in_text(socket)
        await until(socket, "response.output_audio_transcript.delta")
        socket.transport.abort()


async def answered(stack: StackState, question: Recording) -> None:
    async with realtime(stack) as socket:
        await speak(socket, question)
        await ask_in_text(socket)
        await until(socket, "response.done")


async def garbage(stack: StackState, _question: Recording) -> None:
    async with realtime(stack) as socket:
        for frame in ("x", "[]", '{"type": 1}', b"\xff\x00", "y" * 300_000):
            try:
                await socket.send(frame)
            except ConnectionClosed:
                return


async def hung_up_politely(stack: StackState, question: Recording) -> None:
    session = await new_session(stack.url)
    async with voice_calling(stack.url, session["id"]) as caller:
        for frame in question.at_rate(16_000).frames():
            await caller.send(frame)
        await caller.send(is_close=True)
        assert await caller.read_to_the_end() == 1000


async def never_named(stack: StackState, _question: Recording) -> None:
    async with connect(f"{stack.url.replace('http', 'ws', 1)}/chat/voice_call") as socket:
        await socket.send("{}")


ENDINGS: list[Callable[[StackState, Recording], Awaitable[None]]] = [
    closed_at_once,
    gone_without_a_word,
    closed_in_the_answer,
    gone_in_the_answer,
    answered,
    garbage,
    hung_up_politely,
    never_named,
]


async def held(stack: StackState) -> dict[str, float]:
    """What the stack holds for calls."""
    processes = stack.processes
    async with httpx.AsyncClient() as http:

        async def total(url: str, metric: str) -> float:
            lines = (await http.get(f"{url}/metrics")).text.splitlines()
            return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))

        found = {"calls": await total(stack.url, "dialtone_gateway_active_calls")}
        for name in WORKERS:
            found[name] = await total(processes[name].url, "dialtone_work_in_progress")
        connections = (await http.get(f"{processes['nats'].url}/connz?subs=1")).json()["connections"]
        subjects = [subject for one in connections for subject in one.get("subscriptions_list", [])]
        found["subscriptions"] = sum(subject.startswith("call.") for subject in subjects)
        found["queued"] = (await http.get(f"{processes['nats'].url}/jsz")).json()["messages"]
    redis = Redis.from_url(stack.redis_url)
    # Those of a gateway that was killed are free without its beat, and run out by themselves.
    living = {key.rpartition(b":")[2] async for key in redis.scan_iter("dialtone:gateway:*")}
    claims = [key async for key in redis.scan_iter("dialtone:*:call:*")]
    found["claims"] = sum([await redis.hget(key, "gateway") in living for key in claims])
    await redis.aclose()
    return found


async def until_nothing_is_held(stack: StackState) -> None:
    now: dict[str, float] = {}

    async def nothing() -> bool:
        nonlocal now
        now = await held(stack)
        return not any(now.values())

    try:
        await eventually(nothing, within_s=20)
    except AssertionError:
        pytest.fail(f"still held: {now}")


async def test_calls_of_every_ending_leave_nothing_behind(stack: StackState, question: Recording) -> None:
    await until_nothing_is_held(stack)  # of the tests before
    for _ in range(ROUNDS):
        await asyncio.gather(*(ending(stack, question) for ending in ENDINGS))
    await until_nothing_is_held(stack)


async def test_a_burst_of_handshakes_does_not_get_past_the_limit_of_calls(
    stack: StackState, tmp_path: Path
) -> None:
    async with joining(stack, tmp_path, MAX_CALLS="5") as gateway:
        taken: list[ClientConnection] = []

        async def call() -> int:
            try:
                taken.append(await connect(f"{gateway.socket_url}/v1/realtime?model=default"))
            except InvalidStatus as refused:
                return refused.response.status_code if "Retry-After" in refused.response.headers else 0
            return 101

        codes = await asyncio.gather(*(call() for _ in range(20)))
        assert sorted(codes) == [101] * 5 + [503] * 15
        await taken.pop().close()

        async def room() -> bool:
            return await call() == 101

        await eventually(room)
        for socket in taken:
            await socket.close()
