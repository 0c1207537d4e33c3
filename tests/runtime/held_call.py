"""A call that runs, with a store that can be shut and a client that notes what it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from dialtone.bus import Bus
from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core.call import Call
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.items import InputText, Item, MessageItem
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.dialects.realtime import RealtimeDialect
from dialtone.gateway.ids import new_id
from dialtone.gateway.runtime.call_runner import CallRunner
from dialtone.gateway.runtime.outbound import Frame, Outbound
from dialtone.gateway.stores import SessionStore
from tests.fixtures.waiting import eventually

CALL = "call-1"


class GatedStore:
    """A store of items that takes nothing while its gate is shut."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.items: list[str] = []
        self.refuses = False

    async def put_item(
        self, _tenant: str, _session_id: str, item: Item, _after: str | None, *, epoch: int
    ) -> None:
        del epoch
        await self.gate.wait()
        if self.refuses:
            raise ValueError("no such column")
        self.items.append(item.id)


class Held:
    """A running call."""

    def __init__(self, bus: Bus) -> None:
        self.frames: list[Frame] = []
        self.store = GatedStore()
        self.call = Call(
            call_id=CALL,
            session_id="s1",
            config=SessionConfig(),
            items=[],
            new_id=new_id,
            expires_at=0,
            limits=Limits(),
        )

        self.outbound = Outbound(self._send, limit_bytes=2**20, send_timeout_s=1, on_stalled=lambda: None)
        self.runner = CallRunner(
            self.call,
            call_id=CALL,
            tenant="t",
            session_id="s1",
            epoch=1,
            inherited=frozenset(),
            bus=bus,
            pool="default",
            store=cast(SessionStore, self.store),  # all that these calls use of one
            dialect=RealtimeDialect(),
            on_claim=lambda _instance: None,
            on_used=lambda _tokens: None,
            outbound=self.outbound,
        )

    async def _send(self, frame: Frame) -> None:
        self.frames.append(frame)

    def said(self, kind: str) -> int:
        return sum(f'"{kind}"' in str(frame) for frame in self.frames)

    async def until_said(self, kind: str, times: int = 1) -> None:
        async def enough() -> bool:
            return self.said(kind) >= times

        await eventually(enough)


@asynccontextmanager
async def running(bus: Bus) -> AsyncIterator[tuple[Held, asyncio.Task[None]]]:
    held = Held(bus)
    task = asyncio.create_task(held.runner.run())
    sending = asyncio.create_task(held.outbound.run())
    try:
        await held.until_said("session.created")
        yield held, task
    finally:
        held.store.gate.set()
        held.runner.put(ask.Disconnected())
        await asyncio.wait({task}, timeout=10)
        task.cancel()
        sending.cancel()


def item() -> ask.CreateItem:
    return ask.CreateItem(item=MessageItem("", "user", [InputText("hello")]))
