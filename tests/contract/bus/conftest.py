"""A call and workers, on buses of their own as they are in different processes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from dialtone.bus import Bus, Handler, LeaseWorker, Stage
from dialtone.settings import BusSettings
from tests.contract.bus.call_side import CallSide
from tests.contract.bus.queue_state import QueueState

StartWorker = Callable[..., Awaitable[LeaseWorker]]


@pytest.fixture
async def call(bus: Bus) -> AsyncIterator[CallSide]:
    side = await CallSide(bus, "call-1").open()
    await bus.ensure_stage(Stage.LLM, "default")
    yield side
    await side.close()


@pytest.fixture
def queue(bus: Bus) -> QueueState:
    return QueueState(bus)


@pytest.fixture
async def start_worker(bus_settings: BusSettings) -> AsyncIterator[StartWorker]:
    """Starts a worker of the LLM stage in this process, with a connection of its own.

    However busy the machine is, it waits for leave before it begins.
    """
    settings = bus_settings.model_copy(update={"lease_claim_patience_s": 5.0})
    running: list[tuple[Bus, LeaseWorker, asyncio.Task[None]]] = []

    async def start(
        handler: Handler, *, slots: int = 1, worker_id: str = "w1", drain_grace: float = 5.0
    ) -> LeaseWorker:
        bus = await Bus.connect(settings, name=worker_id)
        worker = LeaseWorker(
            bus, Stage.LLM, handler, slots=slots, worker_id=worker_id, drain_grace=drain_grace
        )
        running.append((bus, worker, asyncio.create_task(worker.run())))
        return worker

    yield start
    for bus, _worker, task in running:
        task.cancel()
        await asyncio.wait({task})
        await bus.close()
        if not task.cancelled():
            task.result()
