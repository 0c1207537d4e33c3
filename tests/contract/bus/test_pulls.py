"""How a worker asks for work."""

import asyncio

import pytest

from dialtone.bus import Bus, Lease, LeaseWorker, Stage
from dialtone.settings import BusSettings
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.conftest import StartWorker
from tests.contract.bus.queue_state import QueueState
from tests.fixtures.nats import NatsServer
from tests.fixtures.nats_proxy import NatsProxy

SLOTS = 8


async def test_a_worker_at_rest_keeps_two_pulls_open_however_its_work_came(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    """One for each slot would be made anew twice a second, by every worker that has nothing to do."""
    goes_on = {f"turn-{number}": asyncio.Event() for number in range(SLOTS)}

    async def handler(lease: Lease) -> None:
        await goes_on[lease.lease_id].wait()

    await start_worker(handler, slots=SLOTS)
    for lease_id in goes_on:
        await call.submit(lease_id)
    await until(lambda: all(call.attempts(lease_id) for lease_id in goes_on), "all at work")
    for event in goes_on.values():  # one slot after the other
        event.set()
        await asyncio.sleep(0.02)
    await queue.empties()

    seen: list[int] = []
    for _ in range(200):
        seen.append(await queue.waiting_pulls())
        if len(seen) >= 20 and max(seen[-20:]) <= 2:  # over more than a pull's time
            break
        await asyncio.sleep(0.05)
    assert max(seen[-20:]) <= 2


async def test_all_slots_are_filled_at_once_by_what_waits(call: CallSide, start_worker: StartWorker) -> None:
    release = asyncio.Event()

    async def handler(_lease: Lease) -> None:
        await release.wait()

    await start_worker(handler, slots=SLOTS)
    lease_ids = [f"turn-{number}" for number in range(SLOTS)]
    for lease_id in lease_ids:
        await call.submit(lease_id)
    await until(lambda: all(call.attempts(lease_id) for lease_id in lease_ids), "all slots in use", timeout=2)
    release.set()


@pytest.mark.usefixtures("call")
async def test_a_worker_far_from_the_broker_is_never_without_a_pull_there(
    nats_server: NatsServer, queue: QueueState
) -> None:
    """One pull alone would be missing from its end until its successor has come all the way."""

    async def handler(_lease: Lease) -> None:
        raise AssertionError("there is no work")

    async with NatsProxy(nats_server.port) as proxy:
        bus = await Bus.connect(BusSettings(nats_url=proxy.url), name="distant")
        worker = LeaseWorker(bus, Stage.LLM, handler, slots=SLOTS, worker_id="distant")
        running = asyncio.create_task(worker.run())
        try:
            proxy.delay_s = 0.08
            seen: list[int] = []
            while len(seen) < 200:
                seen.append(await queue.waiting_pulls())
                await asyncio.sleep(0.01)
        finally:
            running.cancel()
            await asyncio.wait({running})
            await bus.close()
    settled = seen[50:]
    # A busy machine may be late now and then; one pull alone is missing a quarter of the time.
    assert settled.count(0) < len(settled) / 8
