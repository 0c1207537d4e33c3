"""Lets the legs of a process work one after another, and everything else in between.

A leg alone holds the event loop for a moment only, but a hundred that have fallen behind would hold it
for seconds in every round, and the heartbeats of all of them would come too late.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

_LONGEST_SECONDS = 0.005


class Turnstile:
    """Bounds what all legs together take of one round of the event loop; whoever is over it queues."""

    def __init__(self, longest: float = _LONGEST_SECONDS) -> None:
        self._longest = longest
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._round_ends: float | None = None

    async def enter(self) -> None:
        """Before a piece of work: wait until it is the caller's turn."""
        if not self._waiting and self._has_time():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    async def breathe(self) -> None:
        """In the middle of a long piece of work: go on, or queue again when it has taken its time."""
        if not self._has_time():
            await self.enter()

    def _has_time(self) -> bool:
        now = time.monotonic()
        if self._round_ends is None:
            self._round_ends = now + self._longest
            asyncio.get_running_loop().call_soon(self._next_round)
        return now < self._round_ends

    def _next_round(self) -> None:
        self._round_ends = None
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # its leg was cancelled
                turn.set_result(None)
                self._has_time()  # begins a round, and sees to the next one
                return
