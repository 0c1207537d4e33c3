"""Workers in the test's own process, on a gateway's broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dialtone.bus import Bus, Handler, LeaseWorker, Stage
from dialtone.settings import BusSettings
from tests.fixtures.gateway import Gateway


@asynccontextmanager
async def worker(gateway: Gateway, stage: Stage, handler: Handler) -> AsyncIterator[None]:
    """A worker of a stage inside the block."""
    bus = await Bus.connect(BusSettings(nats_url=gateway.nats.url), name=str(stage))
    running_worker = LeaseWorker(bus, stage, handler, slots=4, worker_id=str(stage))
    running = asyncio.create_task(running_worker.run())
    try:
        yield
    finally:
        await running_worker.stop()
        await running
        await bus.close()
