"""When a worker is lost its work goes on elsewhere, under a higher attempt, and only there."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dialtone.bus import Bus, ExhaustedWork, HandBack, Lease
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.turn_pb2 import TextDelta
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.conftest import StartWorker
from tests.contract.bus.queue_state import QueueState
from tests.fixtures.nats import NatsServer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def start_holder(nats_server: NatsServer) -> Iterator[Callable[[str], int]]:
    """Starts `holder` processes; returns the process id."""
    started: list[subprocess.Popen[bytes]] = []

    def start(worker_id: str) -> int:
        command = [sys.executable, "-m", "tests.contract.bus.holder", nats_server.url, worker_id]
        started.append(subprocess.Popen(command, cwd=ROOT))
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.wait()


async def finish(lease: Lease) -> None:
    await lease.send(text=TextDelta(text=f"finished by attempt {lease.attempt}"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_work_of_a_lost_process_goes_to_another_after_the_ack_wait(
    number: signal.Signals,
    call: CallSide,
    queue: QueueState,
    start_holder: Callable[[str], int],
    start_worker: StartWorker,
) -> None:
    process = start_holder("lost")
    await call.submit("l1")
    await until(lambda: len(call.of("text")) > 3, "the first worker at work", timeout=30)
    await start_worker(finish, worker_id="next")
    os.kill(process, number)
    lost_at = time.monotonic()
    await until(lambda: call.attempts("l1") == [0, 1], "the second attempt")
    assert call.when("claim", 1) - lost_at < 1.5
    await until(lambda: any(event.attempt == 1 for event in call.of("text")), "its result")
    await queue.empties()


async def test_a_thawed_worker_neither_acks_nor_goes_on(
    call: CallSide, start_holder: Callable[[str], int], start_worker: StartWorker
) -> None:
    process = start_holder("frozen")
    await call.submit("l1")
    await until(lambda: len(call.of("text")) > 3, "the first worker at work", timeout=30)
    hold_on = asyncio.Event()

    async def hold(lease: Lease) -> None:
        await hold_on.wait()
        await finish(lease)

    worker = await start_worker(hold, worker_id="next")
    os.kill(process, signal.SIGSTOP)
    await until(lambda: call.attempts("l1") == [0, 1], "the second attempt")
    os.kill(process, signal.SIGCONT)
    # It lets go: after what it had in its buffers nothing more comes of attempt 0.
    quiet_since = time.monotonic()
    seen = -1
    while time.monotonic() - quiet_since < 1.5:
        if len(call.of("text")) != seen:
            seen = len(call.of("text"))
            assert time.monotonic() - call.when("claim", 1) < 5, "the thawed worker goes on"
            quiet_since = time.monotonic()
        await asyncio.sleep(0.02)
    assert worker.active == 1
    assert call.attempts("l1") == [0, 1]
    hold_on.set()
    await until(lambda: call.of("text")[-1].text.text == "finished by attempt 1", "the result")


async def test_a_delivery_that_was_overtaken_leaves_the_message_to_the_other(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    # A frozen worker that wakes up finds old deliveries in its socket; acked, the message would be gone, and
    # its holder could neither hand it back nor lose it to another.
    call.grant = lambda claim: Grant(granted=claim.attempt > 0, reason="superseded")
    await start_worker(finish)
    await call.submit("l1")
    await until(lambda: bool(call.of("text")), "the next delivery")
    assert call.attempts("l1") == [0, 1]
    await queue.empties()


async def test_work_of_a_worker_that_stands_still_does_not_go_to_it_again(
    call: CallSide, start_holder: Callable[[str], int], start_worker: StartWorker
) -> None:
    frozen = start_holder("frozen")
    await call.submit("l1")
    await until(lambda: len(call.of("text")) > 3, "the first worker at work", timeout=30)
    os.kill(frozen, signal.SIGSTOP)
    await asyncio.sleep(1.3)  # its work is on offer by now, and nobody else is there
    await start_worker(finish, worker_id="next")
    await until(lambda: any(event.attempt > 0 for event in call.of("text")), "the result")
    assert call.attempts("l1") == [0, 1]


async def test_work_handed_back_is_delivered_again_at_once(call: CallSide, start_worker: StartWorker) -> None:
    async def handler(lease: Lease) -> None:
        if lease.attempt == 0:
            raise HandBack("leaving")
        await finish(lease)

    await start_worker(handler)
    await call.submit("l1")
    await until(lambda: bool(call.of("text")), "the second attempt")
    assert call.attempts("l1") == [0, 1]
    assert call.of("released")[0].released.reason == "leaving"
    assert call.when("claim", 1) - call.when("released", 0) < 0.25


async def test_work_that_every_worker_loses_fails_for_good_and_leaves_the_queue(
    bus: Bus, call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    async def handler(_lease: Lease) -> None:
        raise HandBack("never")

    exhausted = ExhaustedWork(bus)
    await exhausted.start()
    await start_worker(handler)
    await call.submit("l1", base=10)
    await until(lambda: bool(call.of("failed")), "the final failure")
    failed = call.of("failed")[0]
    assert call.attempts("l1") == [10, 11, 12, 13, 14]
    assert failed.attempt == 15
    assert failed.failed.final
    assert failed.failed.error.code == "work_exhausted"
    await queue.empties()
    await exhausted.stop()
