"""With work queues on disk a restart of the broker loses no queued work, and running work goes on."""

import asyncio
import time

import pytest

from dialtone.bus import Bus, Lease
from dialtone.settings import BusSettings
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.turn_pb2 import TextDelta
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.conftest import StartWorker
from tests.contract.bus.queue_state import QueueState
from tests.fixtures.nats import NatsServer


@pytest.fixture
def bus_settings(nats_server: NatsServer) -> BusSettings:
    return BusSettings(nats_url=nats_server.url, work_storage="file")


async def restart(nats_server: NatsServer, bus: Bus) -> float:
    """How long it was away, in seconds."""
    generation, began = bus.generation, time.monotonic()
    nats_server.restart()
    await until(lambda: bus.generation > generation, "the new connection")
    await asyncio.wait_for(bus.wait_ready(), 5)
    return time.monotonic() - began


async def finish(lease: Lease) -> None:
    await lease.send(text=TextDelta(text="done"))


async def test_queued_work_survives_the_broker(
    nats_server: NatsServer, bus: Bus, call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    await call.submit("l1")
    await restart(nats_server, bus)
    await start_worker(finish)
    await until(lambda: len(call.of("text", "l1")) == 1, "the queued work")
    await queue.empties()


async def test_running_work_is_finished_across_a_quick_restart(
    nats_server: NatsServer, bus: Bus, call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    release = asyncio.Event()
    # The broker forgets heartbeats over a restart and may deliver the work again, even in the moment in
    # which it is acked. The gateway has its result by then and refuses.
    call.grant = lambda _claim: Grant(granted=not call.of("text"))

    async def hold(lease: Lease) -> None:
        await release.wait()
        await finish(lease)

    worker = await start_worker(hold)
    await call.submit("l1")
    await until(lambda: worker.active == 1 and bool(call.of("claim")), "at work")
    away_s = await restart(nats_server, bus)
    await asyncio.sleep(1.5)  # longer than the ack wait: the lease is alive by new heartbeats
    assert worker.active == 1
    release.set()
    await until(lambda: bool(call.of("text")), "the result")
    await queue.empties()
    # A busy machine does not start it within the ack wait: then the work is another attempt's.
    attempts = [event.attempt for event in call.of("text")]
    assert attempts == [0] or (away_s > 0.6 and len(attempts) == 1)


async def test_a_result_that_falls_into_a_short_absence_of_the_broker_comes_after_it(
    nats_server: NatsServer, bus: Bus, call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    release = asyncio.Event()
    call.grant = lambda _claim: Grant(granted=not call.of("text"))

    async def hold(lease: Lease) -> None:
        await release.wait()
        await finish(lease)

    await start_worker(hold)
    await call.submit("l1")
    await until(lambda: bool(call.of("claim")), "at work")
    nats_server.kill()
    await until(lambda: not bus.connected, "the loss noticed")
    release.set()
    await asyncio.sleep(0.1)
    nats_server.start()
    # Sent by the attempt that waited, or by the next one when it went out on a dying connection.
    await until(lambda: bool(call.of("text")), "the result")
    await queue.empties()


async def test_results_that_went_into_a_broker_that_stood_still_are_made_again(
    nats_server: NatsServer, bus: Bus, call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    release = asyncio.Event()
    call.grant = lambda _claim: Grant(granted=not call.of("text"))

    async def hold(lease: Lease) -> None:
        await release.wait()
        await finish(lease)

    worker = await start_worker(hold)
    await call.submit("l1")
    await until(lambda: worker.active == 1 and bool(call.of("claim")), "at work")
    generation = bus.generation
    nats_server.freeze()
    try:
        release.set()
        await until(lambda: not bus.connected, "the gateway's loss noticed", timeout=6)
    finally:
        nats_server.thaw()
    await until(lambda: bus.generation > generation, "the new connection")
    await until(lambda: bool(call.of("text")), "the result", timeout=6)
    await queue.empties()


async def test_a_worker_back_before_its_gateway_does_not_throw_the_work_away(
    nats_server: NatsServer, bus: Bus, call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    release = asyncio.Event()

    async def hold(lease: Lease) -> None:
        if lease.lease_id == "l1":
            await release.wait()
        await finish(lease)

    worker = await start_worker(hold)
    await call.submit("l1")
    await until(lambda: worker.active == 1 and bool(call.of("claim")), "busy")
    await call.submit("l2")
    await restart(nats_server, bus)
    await call.close()  # the gateway is not back yet
    release.set()
    await asyncio.sleep(1.0)  # claims are made that nobody hears
    await call.open()
    await until(lambda: len(call.of("text", "l2")) == 1, "the work that waited for its gateway")
    await queue.empties()
