"""The broker goes away: publishing fails at once, and when it is back everything works again."""

import asyncio
import random
import time

import pytest
from prometheus_client import REGISTRY

from dialtone.bus import Bus, BusUnavailable, Lease, Message, NoResponders, Overloaded, PayloadTooLarge, Stage
from dialtone.settings import BusSettings
from dialtone.v1.turn_pb2 import TextDelta
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.conftest import StartWorker
from tests.contract.bus.queue_state import QueueState
from tests.fixtures.nats import NatsServer

GIVES_UP = 60  # tries, after which nats-py does by itself


@pytest.fixture
def bus_settings(nats_server: NatsServer) -> BusSettings:
    """Queues in memory, so that a broker comes back with nothing."""
    return BusSettings(nats_url=nats_server.url, work_storage="memory")


async def made_again(bus: Bus, before: int) -> None:
    """Wait for a connection after that of this generation."""
    await until(lambda: bus.generation > before, "the new connection")


async def finish(lease: Lease) -> None:
    await lease.send(text=TextDelta(text="done"))


async def test_publishing_fails_while_the_broker_is_away_and_works_when_it_is_back(
    nats_server: NatsServer, bus: Bus
) -> None:
    got: list[bytes] = []
    await bus.subscribe("test.subject", lambda message: got.append(message.data))
    nats_server.kill()
    await until(lambda: not bus.connected, "the loss noticed")
    with pytest.raises(BusUnavailable):
        await bus.publish("test.subject", b"lost")
    with pytest.raises(BusUnavailable):
        await bus.request("test.subject", b"lost", timeout=1)
    with pytest.raises(BusUnavailable):
        await bus.subscribe("test.other", lambda _message: None)
    with pytest.raises(BusUnavailable):
        await bus.submit(Stage.LLM, "default", Work(lease_id="l1", call_id="c1"))
    nats_server.start()
    back_at = time.monotonic()
    await asyncio.wait_for(bus.wait_ready(), 5)
    assert time.monotonic() - back_at < 2
    await bus.publish("test.subject", b"found")
    await until(lambda: bool(got), "the old subscription")
    assert got == [b"found"]


async def test_workers_pull_again_from_a_broker_that_came_back_with_nothing(
    nats_server: NatsServer, bus: Bus, call: CallSide, start_worker: StartWorker
) -> None:
    worker = await start_worker(finish, slots=2)
    await call.submit("before")
    await until(lambda: len(call.of("text", "before")) == 1, "work before")
    nats_server.restart()
    await until(lambda: not bus.connected or bus.generation == 2, "the loss noticed")
    await asyncio.wait_for(bus.wait_ready(), 5)
    back_at = time.monotonic()
    await call.submit("after")
    await until(lambda: len(call.of("text", "after")) == 1, "work after", timeout=5)
    assert time.monotonic() - back_at < 3
    await until(lambda: worker.active == 0, "the slot")


async def test_a_broker_that_came_back_with_nothing_has_the_queues_again_before_anybody_needs_them(
    nats_server: NatsServer, bus: Bus
) -> None:
    await bus.ensure_stage(Stage.LLM, "default")
    before = bus.generation
    nats_server.restart()
    await made_again(bus, before)
    async with asyncio.timeout(5):
        await bus.wait_ready()
    assert await QueueState(bus).messages() == 0  # raises where there is none


async def test_a_broker_is_looked_for_until_it_is_there_again(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _least, _most: 0.001)  # s between two tries
    bus = await Bus.connect(BusSettings(nats_url=nats_server.url), name="patient")

    def tries() -> float:
        kind = {"kind": "ConnectionRefusedError"}
        return REGISTRY.get_sample_value("dialtone_bus_errors_total", kind) or 0.0

    before = tries()
    nats_server.kill()
    await until(lambda: tries() - before > GIVES_UP, "so many tries", timeout=20)
    nats_server.start()
    async with asyncio.timeout(5):
        await bus.wait_ready()
    assert bus.connected
    await bus.close()


async def test_no_subscription_is_deaf_after_many_restarts(nats_server: NatsServer, bus: Bus) -> None:
    got: list[bytes] = []
    for number in range(3):
        await bus.subscribe(f"test.{number}", lambda message: got.append(message.data))
    for round_number in range(6):
        before = bus.generation
        nats_server.restart()
        await made_again(bus, before)
        got.clear()
        for number in range(3):
            await bus.publish(f"test.{number}", b"%d" % round_number)
        await until(lambda: len(got) == 3, f"all three in round {round_number}", timeout=3)


async def test_work_that_ran_when_the_broker_died_is_let_go(
    nats_server: NatsServer, call: CallSide, start_worker: StartWorker
) -> None:
    seen: list[str] = []

    async def hold(_lease: Lease) -> None:
        seen.append("started")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    worker = await start_worker(hold)
    await call.submit("l1")
    await until(lambda: seen == ["started"], "at work")
    nats_server.kill()
    gone_at = time.monotonic()
    await until(lambda: seen == ["started", "cancelled"], "the handler stopped")
    assert 0.5 < time.monotonic() - gone_at < 2.0
    await until(lambda: worker.active == 0, "the slot")
    nats_server.start()


async def test_work_is_let_go_when_the_broker_freezes(
    nats_server: NatsServer, call: CallSide, start_worker: StartWorker
) -> None:
    started = asyncio.Event()
    ended = asyncio.Event()

    async def hold(_lease: Lease) -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    await start_worker(hold)
    await call.submit("l1")
    await asyncio.wait_for(started.wait(), 5)
    nats_server.freeze()
    try:
        async with asyncio.timeout(2.5):  # before the connection itself is given up
            await ended.wait()
        await until(lambda: not call.bus.connected, "the loss noticed", timeout=6)
    finally:
        nats_server.thaw()
    await until(lambda: call.bus.connected, "the broker back")


async def test_a_worker_may_be_started_before_the_broker(nats_server: NatsServer) -> None:
    nats_server.kill()
    connecting = asyncio.create_task(Bus.connect(BusSettings(nats_url=nats_server.url), name="early"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(connecting), 0.5)
    nats_server.start()
    bus = await asyncio.wait_for(connecting, 5)
    assert bus.connected
    await bus.close()


async def test_a_full_queue_refuses_work_and_leaves_room_for_other_pools(nats_server: NatsServer) -> None:
    bus = await Bus.connect(BusSettings(nats_url=nats_server.url, work_max_msgs=3), name="small")
    for pool in ("default", "other"):
        await bus.ensure_stage(Stage.LLM, pool)
    for number in range(3):
        await bus.submit(Stage.LLM, "default", Work(lease_id=f"l{number}", call_id="c1"))
    with pytest.raises(Overloaded):
        await bus.submit(Stage.LLM, "default", Work(lease_id="l3", call_id="c1"))
    await bus.submit(Stage.LLM, "other", Work(lease_id="l3", call_id="c1"))
    await bus.close()


async def test_work_can_be_submitted_before_any_worker_made_the_queue(bus: Bus) -> None:
    await bus.submit(Stage.LLM, "default", Work(lease_id="l1", call_id="c1"))
    assert await QueueState(bus).messages() == 1


async def test_a_queue_made_with_other_limits_is_brought_to_these(nats_server: NatsServer, bus: Bus) -> None:
    await bus.ensure_stage(Stage.LLM, "default")
    settings = BusSettings(nats_url=nats_server.url, work_storage="memory", work_max_msgs=1)
    other = await Bus.connect(settings, name="other")
    await other.ensure_stage(Stage.LLM, "default")
    await other.submit(Stage.LLM, "default", Work(lease_id="l1", call_id="c1"))
    with pytest.raises(Overloaded):
        await other.submit(Stage.LLM, "default", Work(lease_id="l2", call_id="c1"))
    await other.close()


async def test_a_request_without_a_listener_says_so_at_once(bus: Bus) -> None:
    with pytest.raises(NoResponders):
        await bus.request("nobody.home", b"", timeout=5)


async def test_a_published_frame_without_a_listener_comes_back_as_503(bus: Bus) -> None:
    notes: list[Message] = []
    inbox = bus.new_inbox()
    await bus.subscribe(inbox, notes.append)
    await bus.publish("nobody.home", b"frame", reply=inbox)
    await until(lambda: bool(notes), "the broker's note")
    assert notes[0].status == "503"


async def test_a_request_that_is_not_answered_times_out(bus: Bus) -> None:
    await bus.subscribe("silent", lambda _message: None)
    with pytest.raises(TimeoutError):
        await bus.request("silent", b"", timeout=0.1)


async def test_what_the_broker_would_not_take_is_refused_before_it_is_sent(bus: Bus) -> None:
    with pytest.raises(PayloadTooLarge):
        await bus.publish("test.subject", bytes(2 * 2**20))
    assert bus.connected
