"""Frames of one client: read as they come up to a rate, and no faster, however small they are.

A frame takes six bytes to send and tens of microseconds to read. All that has come is read in one go, so
that a client which fills its connection with empty frames or pings would hold up everybody else for a
third of a second at a time; a few of them, for good. One that never ends what it began has to go, too: it
answers to no ping in the middle of a frame, and is given time for that.
"""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.frames import Frame

from dialtone.gateway.runtime import metrics
from dialtone.gateway.runtime.large_messages import POLICY_VIOLATION, BoundedSocket
from dialtone.gateway.runtime.rates import Bucket
from dialtone.gateway.runtime.refusals import unreadable, written_out

_AT_ONCE = 4096  # bytes: some 600 of the smallest frames
_BURST_S = 2.0  # of the rate, that may come at once
_SLOWEST = 32 * 1024  # bytes in a second: at this rate a message may come for as long as it takes


class PacedSocket(BoundedSocket):
    """A connection that is left unread for a moment when it brings frames faster than it may."""

    def __init__(self, *args: Any, frames_per_s: float, message_s: float, **kwargs: Any) -> None:
        """`message_s`: how long a message may take to come whole, beside the time for its bytes, unless it is
        a large one."""
        super().__init__(*args, **kwargs)
        self._rate = Bucket(frames_per_s, frames_per_s * _BURST_S)
        self._frames = 0  # that were read since they were last counted
        self._unread = bytearray()  # while the client is held: what of it has come already
        self._message_s = message_s
        self._clock: asyncio.TimerHandle | None = None  # while half a message is there
        self._clocked_at = 0.0
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
            if self.conn.handshake_exc is not None:
                # A line that is too long, too many of them, a body: of such a handshake nobody is told, and
                # its connection would be held for good.
                self.transport.write(written_out(unreadable()))
                self.transport.close()
                return
            self._watch()
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
        self._stop_watching()
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

    # --- half a message ---

    def _watch(self) -> None:
        if not (self.frames or self.conn.reader.buffer):
            self._stop_watching()
        elif self._clock is None:
            self._clocked_at = self.loop.time()
            self._clock = self.loop.call_later(self._message_s, self._overdue)

    def _stop_watching(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _overdue(self) -> None:
        self._clock = None
        if self.held_up or self.read_paused or self._hold is not None:
            self._watch()  # it is not the client who lets us wait
        elif (due := self._clocked_at + self._message_s + self._coming / _SLOWEST) > self.loop.time():
            self._clock = self.loop.call_at(due, self._overdue)  # it sends at a fair rate
        elif not self.transport.is_closing():
            self.conn.fail(POLICY_VIOLATION, "the message took too long")
            self.handle_parser_exception()

    def send_receive_event_to_app(self) -> None:
        self._stop_watching()  # another may have begun, whose time begins now
        super().send_receive_event_to_app()

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
