"""How a worker asks for work."""

import asyncio

from dialtone.bus import Lease
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.conftest import StartWorker
from tests.contract.bus.queue_state import QueueState

SLOTS = 8


async def test_a_worker_at_rest_keeps_one_pull_open_however_its_work_came(
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
        if len(seen) >= 20 and max(seen[-20:]) == 1:  # over more than a pull's time
            break
        await asyncio.sleep(0.05)
    assert max(seen[-20:]) == 1


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
