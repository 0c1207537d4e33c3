"""Every way that a call can end, each a short call of its own."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.chaos.caller import SESSION, SILENCE, append_event, connected, frames_of
from tests.chaos.words import VOCABULARY
from tests.fuzz.raw import TEXT, frame

LIMITS = {
    **{"CALL_IDLE_S": "20", "CALL_MAX_BETA_S": "2", "WRONG_MESSAGES_PER_MINUTE": "20"},
    **{"MAX_MESSAGE_BYTES": "262144", "ADDRESS_REQUESTS_PER_MINUTE": "0", "DRAIN_GRACE_S": "2"},
    "CALL_CLAIM_TTL_S": "300",
}
"""Settings of the gateway under which calls end soon, and claims of sessions not by themselves."""
ENOUGH_SILENCE = 40  # frames; SESSION's turns end after 15
_S = 60.0  # that any of it may take, on a machine that has other things to do
_BEAT_S = 0.5
_BETA = {"OpenAI-Beta": "realtime=v1"}

Ending = Callable[[str, random.Random], Awaitable[None]]


@asynccontextmanager
async def _calling(url: str, query: str = "", **more: Any) -> AsyncIterator[ClientConnection]:
    async with asyncio.timeout(_S):
        async with await connected(f"{url}/v1/realtime{query}", close_timeout=5, **more) as socket:
            yield socket


async def _event(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next event of this type. Silence is sent meanwhile: a client that waits is not idle."""
    loop = asyncio.get_running_loop()
    due = loop.time() + _BEAT_S
    while True:
        try:
            async with asyncio.timeout_at(due):
                event: dict[str, Any] = json.loads(await socket.recv())
        except TimeoutError:
            await socket.send(append_event(SILENCE))
            due = loop.time() + _BEAT_S
            continue
        if event["type"] == kind:
            return event


def _question_events(chance: random.Random) -> list[str]:
    frames = frames_of(chance.sample(VOCABULARY, 2)) + [SILENCE] * ENOUGH_SILENCE
    update = {"type": "session.update", "session": SESSION}
    return [json.dumps(update), append_event(b"".join(frames))]


async def _question(socket: ClientConnection, chance: random.Random) -> None:
    """Two words and the silence after them, faster than they are spoken."""
    await _event(socket, "session.created")
    for event in _question_events(chance):
        await socket.send(event)


async def _ended(socket: ClientConnection, code: int) -> None:
    """Read to the end, which is to be this close code."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed:
        assert socket.close_code == code, f"closed with {socket.close_code} {socket.close_reason}, not {code}"


async def after_an_answer(url: str, chance: random.Random) -> None:
    """The client hangs up when it has its answer."""
    async with _calling(url) as socket:
        await _question(socket, chance)
        done = await _event(socket, "response.done")
        assert done["response"]["status"] == "completed", done


async def in_an_answer(url: str, chance: random.Random) -> None:
    """The client hangs up while it is spoken to."""
    async with _calling(url) as socket:
        await _question(socket, chance)
        await _event(socket, "response.output_audio.delta")


async def in_a_question(url: str, chance: random.Random) -> None:
    """The client hangs up while it speaks."""
    async with _calling(url) as socket:
        await _question(socket, chance)
        await _event(socket, "input_audio_buffer.speech_started")


async def without_a_word(url: str, _chance: random.Random) -> None:
    """The client hangs up before it has read anything."""
    async with _calling(url):
        pass


async def reset(url: str, chance: random.Random) -> None:
    """The connection breaks in an answer: no close frame, RST."""
    async with _calling(url) as socket:
        await _question(socket, chance)
        await _event(socket, "response.output_audio.delta")
        socket.transport.abort()


async def said_nothing(url: str, _chance: random.Random) -> None:
    """The client sends nothing for too long."""
    async with _calling(url) as socket:
        await _ended(socket, 1008)


async def talked_nonsense(url: str, _chance: random.Random) -> None:
    """The client sends what is no event, again and again."""
    async with _calling(url) as socket:
        for _ in range(int(LIMITS["WRONG_MESSAGES_PER_MINUTE"]) + 1):
            await socket.send("{}")
        await _ended(socket, 1008)


async def said_too_much(url: str, _chance: random.Random) -> None:
    """The client sends a message that is too large."""
    async with _calling(url) as socket:
        await socket.send("x" * (int(LIMITS["MAX_MESSAGE_BYTES"]) + 1))
        await _ended(socket, 1009)


async def broke_the_protocol(url: str, chance: random.Random) -> None:
    """The client sends a frame that may not be, in the middle of an answer."""
    async with _calling(url) as socket:
        await _question(socket, chance)
        await _event(socket, "response.output_audio.delta")
        socket.transport.write(frame(TEXT, b"", reserved=7))
        await _ended(socket, 1002)


async def taken_over(url: str, chance: random.Random) -> None:
    """Another call takes the session over, in the middle of an answer."""
    async with _calling(url) as socket:
        session_id = (await _event(socket, "session.created"))["session"]["id"]
        await socket.send(json.dumps({"type": "session.update", "session": SESSION}))
        await socket.send(append_event(b"".join(frames_of(chance.sample(VOCABULARY, 2)))))
        await _event(socket, "input_audio_buffer.speech_started")
        async with _calling(url, f"?session_id={session_id}") as other:
            await _ended(socket, 1008)
            await _event(other, "session.created")


async def too_old(url: str, _chance: random.Random) -> None:
    """The call lasts as long as it may."""
    async with _calling(url, additional_headers=_BETA) as socket:
        await _ended(socket, 1001)


async def killed(url: str, chance: random.Random) -> None:
    """The client's process is killed in an answer."""
    await _client_process(url, chance, signal.SIGKILL)


async def frozen(url: str, chance: random.Random) -> None:
    """The client's process stands still: nothing comes, no pong either. When it goes on its call is over."""
    await _client_process(url, chance, signal.SIGSTOP)


async def _client_process(url: str, chance: random.Random, number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.doomed", f"{url}/v1/realtime"), stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_S):
            process.stdin.write("\n".join(_question_events(chance)).encode())
            process.stdin.close()
            assert await process.stdout.readline() == b"spoken to\n"
            process.send_signal(number)
            if number is signal.SIGSTOP:
                await asyncio.sleep(FROZEN_S)
                process.send_signal(signal.SIGCONT)
                assert (
                    await process.stdout.readline() == b"1011\n"
                )  # not for its silence: pings miss it first
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


FROZEN_S = 22.0
"""Pings go every 5 s, and have 5 s to be answered."""
SOON: dict[str, Ending] = {
    ending.__name__: ending
    for ending in (
        *(after_an_answer, in_an_answer, in_a_question, without_a_word, reset, talked_nonsense),
        *(said_too_much, broke_the_protocol, taken_over, too_old, killed),
    )
}
LATE: dict[str, Ending] = {"said_nothing": said_nothing, "frozen": frozen}
"""Take as long as a client may say nothing, or has to answer a ping."""
