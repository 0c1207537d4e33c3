"""What is said last reaches a client that takes its time, before its connection is closed."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from dialtone.gateway.core.effects import Close
from dialtone.gateway.runtime.line import Line
from dialtone.gateway.runtime.manners import Limits, Manners
from dialtone.gateway.runtime.outbound import Outbound

CLOSED_S = 10.0


class SlowSocket:
    """Takes frames when `open` is set; `taken` has them, and at last the close code."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.taken: list[str | int] = []

    async def receive(self) -> None:
        await asyncio.Event().wait()

    async def take(self, frame: str | bytes) -> None:
        await self.open.wait()
        self.taken.append(str(frame))

    async def close(self, code: int, _reason: str) -> None:
        self.taken.append(code)


async def test_what_was_said_last_is_written_before_the_connection_is_closed() -> None:
    socket = SlowSocket()
    outbound = Outbound(socket.take, limit_bytes=1000, send_timeout_s=60, on_stalled=lambda: None)
    nothing = cast(Any, None)  # nothing is read
    line = Line(cast(Any, socket), nothing, nothing, outbound, Manners(Limits(0, 60)), close_s=CLOSED_S)
    for frame in ("taken over", "goodbye"):
        outbound.put(frame)
    hanging_up = asyncio.create_task(line.hang_up(Close(1008, "session taken over")))
    await asyncio.wait({hanging_up}, timeout=0.05)  # in which it would be closed, if it were
    assert socket.taken == []
    socket.open.set()
    await asyncio.wait_for(hanging_up, CLOSED_S)
    assert socket.taken == ["taken over", "goodbye", 1008]
