"""Frames on their way to a client, bounded: a client that does not read is not waited for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

Frame = str | bytes


class Outbound:
    """A queue in front of one socket, and the task that empties it.

    `put` never waits. When more than `limit_bytes` wait, or one frame takes longer than
    `send_timeout_s`, the client counts as stalled and `on_stalled` is called once.
    """

    def __init__(
        self,
        send: Callable[[Frame], Awaitable[None]],
        *,
        limit_bytes: int,
        send_timeout_s: float,
        on_stalled: Callable[[], None],
    ) -> None:
        self._send = send
        self._limit = limit_bytes
        self._send_timeout = send_timeout_s
        self._on_stalled = on_stalled
        self._frames: deque[tuple[Frame, asyncio.Future[None] | None, bool]] = deque()
        self._urgent = 0  # of these frames
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._finishing = False
        self.stalled = False

    def put(self, frame: Frame, *, after: asyncio.Future[None] | None = None, urgent: bool = False) -> None:
        """Queue a frame. It waits for `after`, and what is behind it too, unless an urgent one is there."""
        if self.stalled:
            return
        if after is not None:
            after.add_done_callback(lambda _: self._wake.set())
        self._frames.append((frame, after, urgent))
        self._urgent += urgent
        self._waiting_bytes += len(frame)
        if self._waiting_bytes > self._limit:
            self._stall()
        self._wake.set()

    def _next_may_go(self) -> bool:
        if not self._frames or self.stalled:
            return False
        _, after, _ = self._frames[0]
        return after is None or after.done() or self._urgent > 0

    def _stall(self) -> None:
        if not self.stalled:
            self.stalled = True
            self._frames.clear()
            self._on_stalled()

    def finish(self) -> None:
        """Let `run` return when all that was put is sent."""
        self._finishing = True
        self._wake.set()

    async def run(self) -> None:
        while True:
            while self._next_may_go():
                frame, _, urgent = self._frames.popleft()
                self._urgent -= urgent
                try:
                    async with asyncio.timeout(self._send_timeout):
                        await self._send(frame)
                except TimeoutError:
                    self._stall()
                self._waiting_bytes -= len(frame)
            if self.stalled or (self._finishing and not self._frames):
                return
            self._wake.clear()
            await self._wake.wait()
