"""A worker that is asked to leave hands legs over, finishes short work, and takes nothing new."""

import asyncio
import time

from dialtone.bus import Bus, Lease, Stage
from dialtone.v1.ears_pb2 import EarsLeg
from dialtone.v1.turn_pb2 import TextDelta
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.conftest import StartWorker
from tests.contract.bus.queue_state import QueueState


async def test_legs_are_handed_over_and_short_work_finishes(
    bus: Bus, call: CallSide, start_worker: StartWorker
) -> None:
    started: list[str] = []
    release = asyncio.Event()

    async def handler(lease: Lease) -> None:
        started.append(lease.lease_id)
        if lease.work.HasField("ears"):
            async for _frame in lease.inputs():
                pass
        await release.wait()
        await lease.send(text=TextDelta(text="finished"))

    old = await start_worker(handler, slots=2, worker_id="old")
    await bus.submit(Stage.LLM, "default", Work(lease_id="leg", call_id="call-1", ears=EarsLeg()))
    await call.submit("turn")
    await until(lambda: len(started) == 2, "both at work")
    await start_worker(handler, slots=2, worker_id="new")

    stopping = asyncio.create_task(old.stop())
    await until(lambda: call.attempts("leg") == [0, 1], "the leg with the new worker")
    assert call.of("claim")[-1].claim.worker_id == "new"
    assert call.when("claim", 1) - call.when("released", 0) < 0.25
    await call.submit("later")
    await until(lambda: call.attempts("later") == [0], "new work")
    assert call.of("claim", "later")[0].claim.worker_id == "new"
    assert not stopping.done()
    release.set()
    await stopping
    await until(lambda: len(call.of("text", "turn")) == 1, "the old worker's result")
    assert call.attempts("turn") == [0]


async def test_what_is_handed_back_does_not_come_to_the_worker_that_leaves(
    bus: Bus, call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    """It would come again and again, until all deliveries are used up and the work has failed."""

    async def handler(lease: Lease) -> None:
        if lease.work.HasField("ears"):
            async for _frame in lease.inputs():
                pass

    old = await start_worker(handler, slots=8, worker_id="old")
    for turn in range(4):  # each leaves a slot free that a pull is opened for: there are several
        await call.submit(f"turn-{turn}")
        await queue.empties()
    await bus.submit(Stage.LLM, "default", Work(lease_id="leg", call_id="call-1", ears=EarsLeg()))
    await until(lambda: call.attempts("leg") == [0], "the leg")
    await old.stop()
    await start_worker(handler, slots=8, worker_id="new")
    await until(lambda: len(call.attempts("leg")) == 2, "the leg with the new worker")
    assert call.attempts("leg") == [0, 1]


async def test_work_that_outlasts_the_grace_is_handed_back(call: CallSide, start_worker: StartWorker) -> None:
    started: list[int] = []

    async def handler(lease: Lease) -> None:
        started.append(lease.attempt)
        await asyncio.sleep(60)

    old = await start_worker(handler, worker_id="old", drain_grace=0.2)
    await call.submit("l1")
    await until(lambda: started == [0], "at work")
    await start_worker(handler, worker_id="new")
    began = time.monotonic()
    await old.stop()
    assert time.monotonic() - began < 1.5
    await until(lambda: call.attempts("l1") == [0, 1], "the new worker")
    assert call.when("claim", 1) - call.when("released", 0) < 0.25


async def test_a_drained_worker_takes_nothing_from_the_queue(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    async def handler(_lease: Lease) -> None:
        return

    worker = await start_worker(handler, slots=4)
    await call.submit("l1")
    await queue.empties()
    await worker.stop()
    await call.submit("l2")
    assert await queue.messages() == 1
    assert await queue.waiting_pulls() == 0
    assert call.attempts("l2") == []
