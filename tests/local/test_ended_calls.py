"""A call that the gateway ends, whenever it does, is over for the caller too."""

from __future__ import annotations

import asyncio
from typing import Literal

import numpy as np
import pytest
from rich.console import Console
from websockets.asyncio.server import ServerConnection, serve

from dialtone.gateway.core.server_events import SessionUpdated
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.dialects.realtime import RealtimeDialect
from dialtone.local.call.microphone import Microphone
from dialtone.local.call.realtime import RealtimeCall
from dialtone.local.call.recording import Recording
from dialtone.local.call.report import Transcript
from dialtone.local.call.settings import CallSettings

RATE = 16_000
QUESTION = Recording(np.full(RATE, 8000, np.int16), RATE)


@pytest.mark.parametrize("when", ["in the question", "before the next"])
async def test_a_gateway_that_ends_the_call_ends_it(
    when: Literal["in the question", "before the next"],
) -> None:
    asked = 0

    async def gateway(socket: ServerConnection) -> None:
        nonlocal asked
        await socket.recv()
        for frame in RealtimeDialect().encode(SessionUpdated("sess_1", 1_800_000_000, SessionConfig())):
            await socket.send(frame)
        async for _ in socket:
            asked += 1
            if asked == (10 if when == "in the question" else 60):  # of 50 frames
                await socket.close(1013, "no worker")

    async with serve(gateway, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        settings = CallSettings(url=f"http://127.0.0.1:{port}", turns=2, answer_timeout_s=30)
        call = RealtimeCall(settings, Transcript(Console(quiet=True)))
        async with asyncio.timeout(20):
            turns = await call.hold(settings.url, [QUESTION, QUESTION])
    assert all("1013" in turn.errors[0] for turn in turns)


async def test_what_is_played_when_nothing_can_be_sent_any_more_is_over() -> None:
    async def send(_frame: bytes) -> None:
        raise OSError("gone")

    microphone = Microphone(send, RATE)
    before = microphone.play(QUESTION)
    with pytest.raises(OSError, match="gone"):
        await microphone.run()
    assert before.finished.is_set()
    assert microphone.play(QUESTION).finished.is_set()
