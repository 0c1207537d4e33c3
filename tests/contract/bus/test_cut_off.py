"""A worker is cut off from the broker, both ways or one: it stops what it cannot prove that it owns."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from dialtone.bus import Bus, Lease, LeaseWorker, Stage
from dialtone.settings import BusSettings
from dialtone.v1.turn_pb2 import TextDelta
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.conftest import StartWorker
from tests.contract.bus.queue_state import QueueState
from tests.fixtures.nats import NatsServer
from tests.fixtures.nats_proxy import Cut, NatsProxy

LET_GO_S = 2.0  # an ack wait of a second, looked at four times in it, and a machine with other things to do
TAKEN_OVER_S = 5.0


class Distant:
    """A worker on the other side of a network. It works for ever, and says so."""

    def __init__(self) -> None:
        self.says = 0
        self.stopped_at = 0.0

    async def handle(self, lease: Lease) -> None:
        try:
            while True:
                await lease.send(text=TextDelta(text="on and on"))
                self.says += 1
                await asyncio.sleep(0.02)
        finally:
            self.stopped_at = time.monotonic()


@pytest.fixture
async def network(nats_server: NatsServer) -> AsyncIterator[NatsProxy]:
    async with NatsProxy(nats_server.port) as proxy:
        yield proxy


@pytest.fixture
async def distant(network: NatsProxy, call: CallSide) -> AsyncIterator[Distant]:
    """It has taken up the work "l1"."""
    one = Distant()
    bus = await Bus.connect(BusSettings(nats_url=network.url), name="distant")
    worker = LeaseWorker(bus, Stage.LLM, one.handle, slots=1, worker_id="distant")
    running = asyncio.create_task(worker.run())
    await call.submit("l1")
    await until(lambda: one.says > 3, "the worker at work")
    yield one
    network.heal()
    running.cancel()
    await asyncio.wait({running})
    await bus.close()


@pytest.mark.parametrize(
    "way",
    [
        "to_client",  # the broker still hears it, and would take its work for well kept
        pytest.param("to_server", marks=pytest.mark.chaos),
        pytest.param("both", marks=pytest.mark.chaos),
    ],
)
async def test_its_work_is_let_go_and_done_once_by_another(
    network: NatsProxy,
    call: CallSide,
    queue: QueueState,
    distant: Distant,
    start_worker: StartWorker,
    way: Cut,
) -> None:
    done_by: list[int] = []

    async def finish(lease: Lease) -> None:
        await lease.send(text=TextDelta(text="at last"))
        done_by.append(lease.attempt)

    network.cut(way)
    cut_at = time.monotonic()
    await start_worker(finish, worker_id="next")
    await until(lambda: distant.stopped_at > 0, "the work let go")
    assert distant.stopped_at - cut_at < LET_GO_S
    await until(lambda: len(done_by) == 1, "the work done by the other", timeout=TAKEN_OVER_S)
    assert time.monotonic() - cut_at < TAKEN_OVER_S
    await queue.empties()
    said = distant.says
    network.heal()
    await call.submit("l2")  # either may have it; the one that was cut off is not to ruin it
    await until(lambda: len(done_by) == 2 or distant.says > said, "the next work taken up")
    assert done_by[0] > 0
    assert call.attempts("l1") == [0, done_by[0]]
