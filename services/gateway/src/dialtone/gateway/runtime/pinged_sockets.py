"""Pings of all connections, by one clock: ten thousand that are silent are to cost next to nothing.

A connection is pinged every so often, and one that has not answered by the next time is given up. uvicorn
does as much with two timers for each ping, and reads the answer as any other frame; here what a ping costs is
what the system asks for a write and a read.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

_PING = b"\x89\x04"  # RFC 6455, section 5.2: the last piece, a ping; four bytes
_PONG = b"\x8a\x84"  # a pong; masked, four bytes: the mask and they follow
_PONG_BYTES = 10
_TOGETHER_S = 0.02  # pings that are due in this time go out at once: a millisecond or two of a crowd's


class Pings:
    """When each connection is pinged next."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._due: OrderedDict[PingedSocket, float] = OrderedDict()  # on the loop's clock; the next one first
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, socket: PingedSocket) -> None:
        """Ping it from here on."""
        self._due[socket] = socket.loop.time() + self._every_s
        self._wind(socket.loop)

    def end(self, socket: PingedSocket) -> None:
        """Ping it no more."""
        self._due.pop(socket, None)

    def _wind(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None and self._due:
            self._timer = loop.call_at(next(iter(self._due.values())) + _TOGETHER_S, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        while self._due:
            socket, due = self._due.popitem(last=False)
            if due > now:
                self._due[socket] = due
                self._due.move_to_end(socket, last=False)
                break
            if socket.ping(now):
                self._due[socket] = now + self._every_s
        self._wind(loop)


class PingedSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket connection with pings of `Pings`, instead of its own."""

    def __init__(self, *args: Any, pings: Pings, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pings = pings

    def start_keepalive(self) -> None:
        self._pings.begin(self)

    def stop_keepalive(self) -> None:
        self._pings.end(self)

    @property
    def excused(self) -> bool:
        """Whether no answer to the last ping is no sign that the client is gone."""
        return False

    def ping(self, now: float) -> bool:
        """Send a ping, or give up a client that has not answered the last one; whether it goes on."""
        if self.close_sent or self.transport.is_closing():
            return False
        if self.pending_ping_payload is not None and not self.excused:
            self.keepalive_timeout()
            return False
        self.pending_ping_payload = random.getrandbits(32).to_bytes(4)
        self.ping_sent_at = now
        self.transport.write(_PING + self.pending_ping_payload)
        return True

    def data_received(self, data: bytes) -> None:
        # An answer that comes alone, as that of a silent client does, needs no reading of frames. What is in
        # the middle of something else is none: nobody but the client can know these four bytes.
        if (
            len(data) == _PONG_BYTES
            and data[:2] == _PONG
            and self._unmasked(data) == self.pending_ping_payload
        ):
            self.pending_ping_payload = None
        else:
            super().data_received(data)

    def handle_parser_exception(self) -> None:
        if self.conn.close_sent is None:  # of frames that did not wait for the handshake's answer
            self.transport.close()
        else:
            super().handle_parser_exception()

    @staticmethod
    def _unmasked(pong: bytes) -> bytes:
        return (int.from_bytes(pong[2:6]) ^ int.from_bytes(pong[6:])).to_bytes(4)

    def handle_pong(self, event: Frame) -> None:
        if event.data == self.pending_ping_payload:
            self.pending_ping_payload = None
