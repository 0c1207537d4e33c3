"""A caller's voice as the simulated Moshi hears it: silence in real time, and bursts of sound in it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np

from dialtone.local.call.recording import Recording

FRAME_S = 0.02


class Mouth:
    def __init__(self, send: Callable[[bytes], Awaitable[None]], rate: int) -> None:
        """`send` takes 20 ms of PCM16 at `rate`."""
        self._send, self._rate = send, rate
        self._silence = bytes(round(rate * FRAME_S) * 2)
        times = np.arange(round(rate * FRAME_S)) / rate
        self._sound = (8_000 * np.sin(2 * np.pi * 300 * times)).astype("<i2").tobytes()
        self._frames: deque[bytes] = deque()

    def ask(self) -> None:
        """Half a second of sound: what the simulated Moshi answers."""
        self._frames.extend([self._sound] * 25)

    def say(self, words: Recording) -> None:
        """The same in words, which ears hear, too: no tone is a voice to them."""
        self._frames.extend(words.at_rate(self._rate).frames())

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Mouth]:
        sending = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        start, sent = loop.time(), 0
        while True:
            await self._send(self._frames.popleft() if self._frames else self._silence)
            sent += 1
            await asyncio.sleep(max(0.0, start + sent * FRAME_S - loop.time()))
