"""Frames of one client: read as they come up to a rate, and no faster, however small they are.

A frame takes six bytes to send and tens of microseconds to read. All that has come is read in one go, so
that a client which fills its connection with empty frames or pings would hold up everybody else for a
third of a second at a time; a few of them, for good.
"""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.frames import Frame

from dialtone.gateway.runtime import metrics
from dialtone.gateway.runtime.large_messages import BoundedSocket
from dialtone.gateway.runtime.rates import Bucket

_AT_ONCE = 4096  # bytes: some 600 of the smallest frames
_BURST_S = 2.0  # of the rate, that may come at once


class PacedSocket(BoundedSocket):
    """A connection that is left unread for a moment when it brings frames faster than it may."""

    def __init__(self, *args: Any, frames_per_s: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rate = Bucket(frames_per_s, frames_per_s * _BURST_S)
        self._frames = 0  # that were read since they were last counted
        self._unread = bytearray()  # while the client is held: what of it has come already
        self._hold: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        if self._hold is not None:
            self._unread += data
            self.transport.pause_reading()
            return
        for start in range(0, len(data), _AT_ONCE):
            super().data_received(data[start : start + _AT_ONCE])
            if self.transport.is_closing():
                return
            wait_s = self._rate.spend(self._frames, self.loop.time())
            self._frames = 0
            if wait_s > 0:
                metrics.held_clients.inc()
                self._unread += data[start + _AT_ONCE :]
                self._hold = self.loop.call_later(wait_s, self._go_on)
                self.transport.pause_reading()
                return

    def connection_lost(self, exc: Exception | None) -> None:
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None
        self._unread.clear()
        super().connection_lost(exc)

    def resume(self) -> None:
        """Read on, unless somebody wants the client to wait still."""
        if self._hold is None:
            super().resume()

    def _go_on(self) -> None:
        self._hold = None
        unread, self._unread = bytes(self._unread), bytearray()
        self.data_received(unread)
        self.resume()

    # --- what came ---

    def handle_text(self, event: Frame) -> None:
        self._frames += 1
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        self._frames += 1
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        self._frames += 1
        super().handle_cont(event)

    def handle_ping(self) -> None:
        self._frames += 1
        super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        self._frames += 1
        super().handle_pong(event)
