"""What the bus brings twice, or in another order, is one thing in its place."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from dialtone.bus import Bus, Lease, LeaseWorker, Stage, audio_subject
from dialtone.settings import BusSettings
from dialtone.v1.ears_pb2 import EarsInput, EarsLeg, EarsResume, EndOfInput
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.conftest import StartWorker
from tests.contract.bus.queue_state import QueueState
from tests.fixtures.nats import NatsServer
from tests.fixtures.nats_proxy import NatsProxy

FRAMES = 300


@pytest.fixture
async def proxy(nats_server: NatsServer) -> AsyncIterator[NatsProxy]:
    async with NatsProxy(nats_server.port) as proxy:
        yield proxy


@pytest.fixture
async def worker_bus(proxy: NatsProxy) -> AsyncIterator[Bus]:
    bus = await Bus.connect(BusSettings(nats_url=proxy.url), name="worker")
    yield bus
    await bus.close()


async def test_a_leg_hears_every_frame_once_and_in_order(
    proxy: NatsProxy, worker_bus: Bus, call: CallSide, queue: QueueState
) -> None:
    heard: list[int] = []

    async def listen(lease: Lease) -> None:
        async for frame in lease.inputs():
            heard.append(frame.seq)
            if frame.HasField("end"):
                return

    call.grant = lambda claim: Grant(granted=claim.attempt == 0, ears=EarsResume(next_seq=1))
    worker = LeaseWorker(worker_bus, Stage.LLM, listen, slots=1, worker_id="w1")
    running = asyncio.create_task(worker.run())
    await call.bus.submit(Stage.LLM, "default", Work(lease_id="leg", call_id="call-1", ears=EarsLeg()))
    await until(lambda: worker.active == 1 and bool(call.of("claim")), "the leg")
    proxy.tampers = lambda subject: subject == audio_subject("call-1")
    proxy.duplicate = proxy.swap = 0.2
    for seq in range(1, FRAMES + 1):
        frame = EarsInput(lease_id="leg", seq=seq, audio=b"%d" % seq)
        if seq == FRAMES:
            frame.end.CopyFrom(EndOfInput())
        await call.bus.publish(audio_subject("call-1"), frame.SerializeToString())
        await asyncio.sleep(0.001)
    await queue.empties()
    assert heard == list(range(1, FRAMES + 1))
    assert len(proxy.duplicated) > FRAMES / 10
    assert len(proxy.swapped) > FRAMES / 10
    await worker.stop()
    await running


async def test_work_that_is_delivered_twice_is_done_once(
    proxy: NatsProxy, worker_bus: Bus, call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    done: Counter[str] = Counter()

    async def handler(lease: Lease) -> None:
        await asyncio.sleep(0.05)
        done[lease.lease_id] += 1

    proxy.tampers = lambda subject: subject.startswith("work.")
    proxy.duplicate = 1.0
    worker = LeaseWorker(worker_bus, Stage.LLM, handler, slots=2, worker_id="w1")
    running = asyncio.create_task(worker.run())
    await start_worker(handler, worker_id="w2")  # takes what the other hands back
    for number in range(20):
        await call.submit(f"l{number}")
    await queue.empties()
    assert len(proxy.duplicated) >= 5
    assert done == {f"l{number}": 1 for number in range(20)}
    assert all(call.attempts(f"l{number}") == [0] for number in range(20))
    await worker.stop()
    await running
