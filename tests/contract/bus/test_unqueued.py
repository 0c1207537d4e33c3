"""Work that the broker does not store shows, and is tried again until it does."""

import asyncio

import pytest

from dialtone.bus import BusUnavailable, Overloaded, Stage, unqueued
from dialtone.bus.unqueued import UnqueuedWork
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import until


class Disk:
    """Of a broker: it takes nothing while it is `full`."""

    def __init__(self) -> None:
        self.full = True
        self.tries: list[tuple[Stage, str, str]] = []
        self.unqueued = UnqueuedWork(self.submit)

    async def submit(self, stage: Stage, pool: str, work: Work) -> None:
        self.tries.append((stage, pool, work.lease_id))
        if self.full:
            self.unqueued.add(stage, pool, work)
            raise BusUnavailable("timeout")
        if work.lease_id == "too much":
            raise Overloaded("the work queue is full")
        self.unqueued.taken(stage)


@pytest.mark.parametrize("first", ["l1", "too much"])
async def test_it_shows_until_the_broker_has_taken_it(monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    monkeypatch.setattr(unqueued, "_AGAIN_S", 0.01)
    disk = Disk()
    for lease_id in (first, "l2"):
        with pytest.raises(BusUnavailable):
            await disk.submit(Stage.LLM, "default", Work(lease_id=lease_id))
    assert disk.unqueued
    await until(lambda: len(disk.tries) > 5, "some more tries")
    assert disk.unqueued
    disk.full = False
    await until(lambda: not disk.unqueued, "all taken")
    tries = len(disk.tries)
    await asyncio.sleep(0.05)
    assert len(disk.tries) == tries
    assert set(disk.tries[2:]) == {(Stage.LLM, "default", first)}


async def test_what_another_call_got_stored_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unqueued, "_AGAIN_S", 60.0)
    disk = Disk()
    with pytest.raises(BusUnavailable):
        await disk.submit(Stage.TTS, "default", Work(lease_id="l1"))
    disk.full = False
    await disk.submit(Stage.LLM, "default", Work(lease_id="l2"))
    assert disk.unqueued
    await disk.submit(Stage.TTS, "default", Work(lease_id="l3"))
    assert not disk.unqueued
    disk.unqueued.close()
