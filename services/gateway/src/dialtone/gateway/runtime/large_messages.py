"""Large messages on their way in: so many at once, whatever the number of clients that send one.

The protocol lets a client send 15 MiB of audio at once. A message takes memory before anybody can
look at it, several times its size while it is decoded: two hundred clients that send one each would
take gigabytes. So one that grows beyond `LARGE` needs a place, and its socket is not read until there
is one; it keeps the place until the call has taken the message in. Plain messages are never held up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from dialtone.gateway.runtime import metrics
from dialtone.gateway.runtime.pinged_sockets import PingedSocket

LARGE = 2**20  # bytes
POLICY_VIOLATION = 1008


class LargeMessages:
    """The places for large messages."""

    def __init__(self, places: int, *, within_s: float) -> None:
        """`within_s`: how long a message with a place may take to come whole."""
        self.within_s = within_s
        self._free = places
        self._waiting: deque[BoundedSocket] = deque()

    def take(self, socket: BoundedSocket) -> bool:
        """A place for the socket's message; False: `admitted` is called when there is one."""
        if self._free:
            self._free -= 1
            return True
        self._waiting.append(socket)
        metrics.waiting_messages.inc()
        return False

    def give_back(self) -> None:
        if self._waiting:
            metrics.waiting_messages.dec()
            self._waiting.popleft().admitted()  # the place changes hands
        else:
            self._free += 1

    def forget(self, socket: BoundedSocket) -> None:
        """The socket waits no more."""
        if socket in self._waiting:
            self._waiting.remove(socket)
            metrics.waiting_messages.dec()


class BoundedSocket(PingedSocket):
    """uvicorn's WebSocket connection, which has no bound but that of one message."""

    def __init__(self, *args: Any, places: LargeMessages, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places = places
        self._coming = 0  # bytes of the message that is on its way
        self._heard_at = 0.0  # when the client last sent anything
        self._has_place = False
        self._delivered = False  # the message with the place: the application has it, or is to get it
        self._waits = False
        self._deadline: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        self._coming += len(data)
        self._heard_at = self.loop.time()
        super().data_received(data)
        if self._coming > LARGE and not (self._has_place or self._waits or self.transport.is_closing()):
            self._take_place()

    def send_receive_event_to_app(self) -> None:
        """A message is whole."""
        self._coming = 0
        self._delivered = True
        self._stop_clock()
        super().send_receive_event_to_app()

    async def receive(self) -> Any:
        """The next message is asked for, so the last one was taken in."""
        if self._has_place and self._delivered and self.queue.empty():
            if self._coming > LARGE:
                self._begin()  # the next one came meanwhile, and needs the place itself
            else:
                self._leave_place()
        return await super().receive()

    @property
    def excused(self) -> bool:
        """A pong cannot come in the middle of a message, and may lie unread behind others."""
        return self.read_paused or self._waits or self._heard_at > self.ping_sent_at

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        if self._waits:
            self._waits = False
            self._places.forget(self)
        if self._has_place:
            self._leave_place()
        super().connection_lost(exc)

    # --- the place ---

    def _take_place(self) -> None:
        if self._places.take(self):
            self._begin()
        else:
            self._waits = True
            self.transport.pause_reading()

    @property
    def held_up(self) -> bool:
        """The message on its way has a place, or waits for one: other rules are for it."""
        return self._waits or self._has_place

    def admitted(self) -> None:
        """There is a place now."""
        self._waits = False
        self._begin()
        self.resume()

    def resume(self) -> None:
        """Read on, unless the client has to wait for something still."""
        if not (self.read_paused or self._waits or self.transport.is_closing()):
            self.transport.resume_reading()

    def _begin(self) -> None:
        self._has_place, self._delivered = True, False
        self._deadline = self.loop.call_later(self._places.within_s, self._too_slow)

    def _leave_place(self) -> None:
        self._has_place = False
        self._places.give_back()

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.conn.fail(POLICY_VIOLATION, "the message took too long")
            self.handle_parser_exception()
