"""A piece of work is given to one worker, done, and settled once."""

import asyncio

import pytest

from dialtone.bus import Bus, Handler, Lease, WorkError, audio_subject, control_subject, events_subject
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.turn_pb2 import TextDelta, TurnResume
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.conftest import StartWorker
from tests.contract.bus.queue_state import QueueState


async def test_granted_work_is_done_with_its_resume_and_acked(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    seen: list[tuple[Work, int, str]] = []
    call.grant = lambda _claim: Grant(granted=True, turn=TurnResume(delivered_text="so far"))

    async def handler(lease: Lease) -> None:
        seen.append((lease.work, lease.attempt, lease.grant.turn.delivered_text))
        await lease.send(text=TextDelta(text="a"))
        await lease.send(text=TextDelta(text="b"))

    await start_worker(handler)
    work = await call.submit("l1", base=7)
    await until(lambda: len(call.events) == 3, "claim and two deltas")

    assert seen == [(work, 7, "so far")]
    assert [(e.lease_id, e.attempt, e.seq) for e in call.events] == [("l1", 7, 0), ("l1", 7, 1), ("l1", 7, 2)]
    assert call.of("claim")[0].claim.worker_id == "w1"
    await queue.empties()


async def test_long_work_is_kept_alive_past_the_ack_wait(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    async def handler(lease: Lease) -> None:
        await asyncio.sleep(2.5)
        await lease.send(text=TextDelta(text="done"))

    await start_worker(handler)
    await call.submit("l1")
    await until(lambda: bool(call.of("text")), "the end of the work")
    assert call.attempts("l1") == [0]
    await queue.empties()


async def test_workers_share_by_free_slots(call: CallSide, start_worker: StartWorker) -> None:
    holding: dict[str, int] = {"w1": 0, "w2": 0}
    release = asyncio.Event()

    def handler_of(worker_id: str) -> Handler:
        async def handler(_lease: Lease) -> None:
            holding[worker_id] += 1
            await release.wait()

        return handler

    await start_worker(handler_of("w1"), slots=2, worker_id="w1")
    await start_worker(handler_of("w2"), slots=3, worker_id="w2")
    for number in range(8):
        await call.submit(f"l{number}")
    await until(lambda: sum(holding.values()) == 5, "all slots taken")
    await asyncio.sleep(0.3)  # anything above the slots would come now
    assert holding == {"w1": 2, "w2": 3}
    release.set()
    await until(lambda: sum(holding.values()) == 8, "the rest, when slots are free again")


async def test_refused_work_is_acked_unseen(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    call.grant = lambda _claim: Grant(granted=False, reason="cancelled")
    ran: list[str] = []

    async def handler(lease: Lease) -> None:
        ran.append(lease.lease_id)

    await start_worker(handler)
    await call.submit("l1")
    await until(lambda: bool(call.of("claim")), "the claim")
    await queue.empties()
    assert ran == []


async def test_work_of_a_call_that_nobody_answers_for_is_acked_unseen(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    ran: list[str] = []

    async def handler(lease: Lease) -> None:
        ran.append(lease.lease_id)

    await call.close()
    await call.submit("l1")
    assert await queue.messages() == 1
    await start_worker(handler)
    await queue.empties(timeout=15)  # after its last delivery
    assert ran == []


async def test_a_call_that_is_not_heard_of_for_a_moment_keeps_its_work_and_holds_up_nobody(
    bus: Bus, call: CallSide, start_worker: StartWorker
) -> None:
    other = await CallSide(bus, "call-2").open()

    async def handler(lease: Lease) -> None:
        await lease.send(text=TextDelta(text="done"))

    await call.close()  # its gateway's connection broke, the worker's did not
    await call.submit("l1")
    await start_worker(handler)
    await asyncio.sleep(0.3)
    await other.submit("l2")
    await until(lambda: bool(other.of("text", "l2")), "other work", timeout=2)
    await call.open()
    await until(lambda: bool(call.of("text", "l1")), "the work of the call that came back")
    await other.close()


async def test_a_claim_that_is_not_answered_is_made_again(call: CallSide, start_worker: StartWorker) -> None:
    call.grant = lambda claim: None if claim.attempt == 0 else Grant(granted=True)
    ran: list[int] = []

    async def handler(lease: Lease) -> None:
        ran.append(lease.attempt)

    await start_worker(handler)
    await call.submit("l1")
    await until(lambda: ran == [1], "the second attempt")


async def test_submitted_twice_it_is_queued_once(call: CallSide, queue: QueueState) -> None:
    await call.submit("l1")
    await call.submit("l1")
    assert await queue.messages() == 1
    await call.submit("l1", base=9)
    assert await queue.messages() == 2


async def test_cancelled_work_stops_and_is_acked(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    started: list[str] = []
    ended: list[str] = []

    async def handler(lease: Lease) -> None:
        started.append(lease.lease_id)
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ended.append(lease.lease_id)
            raise

    worker = await start_worker(handler, slots=3)
    for lease_id in ("l1", "l2", "l3"):
        await call.submit(lease_id)
    await until(lambda: len(started) == 3, "three at work")
    await call.cancel("l2")
    await until(lambda: ended == ["l2"], "the end of the cancelled one")
    await until(lambda: worker.active == 2, "its slot")
    await call.end()
    await until(lambda: sorted(ended) == ["l1", "l2", "l3"], "the end of all when the call ends")
    await queue.empties()
    assert call.of("failed") == []


async def test_a_retryable_failure_is_tried_again_until_it_is_final(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    async def handler(_lease: Lease) -> None:
        raise WorkError("rate_limited", "slow down", retryable=True)

    await start_worker(handler)
    await call.submit("l1")
    await until(lambda: len(call.of("failed")) == 5, "five attempts", timeout=15)
    failed = call.of("failed")
    assert [event.attempt for event in failed] == [0, 1, 2, 3, 4]
    assert [event.failed.final for event in failed] == [False] * 4 + [True]
    assert failed[0].failed.error.code == "rate_limited"
    await queue.empties()


async def test_a_failure_that_no_retry_can_mend_is_final_at_once(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    async def handler(_lease: Lease) -> None:
        raise WorkError("model_not_found", "no such model")

    await start_worker(handler)
    await call.submit("l1")
    await until(lambda: bool(call.of("failed")), "the failure")
    assert call.of("failed")[0].failed.final
    await queue.empties()
    assert call.attempts("l1") == [0]


async def test_a_broken_handler_fails_its_work_and_not_the_worker(
    call: CallSide, start_worker: StartWorker
) -> None:
    async def handler(lease: Lease) -> None:
        if lease.lease_id == "l1" and lease.attempt == 0:
            raise RuntimeError("the text of a bug stays in the log")
        await lease.send(text=TextDelta(text="ok"))

    await start_worker(handler)
    await call.submit("l1")
    await call.submit("l2")
    await until(lambda: len(call.of("text")) == 2, "both, the broken one at its second attempt")
    (failed,) = call.of("failed")
    assert (failed.failed.error.code, failed.failed.final) == ("internal", False)
    assert "bug" not in failed.failed.error.message


async def test_nothing_is_left_of_work_that_is_over(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    async def handler(lease: Lease) -> None:
        await lease.send(text=TextDelta(text="ok"))

    slots = 4
    worker = await start_worker(handler, slots=slots)
    await call.submit("first")
    await queue.empties()
    await until(lambda: worker.active == 0, "the slot")
    tasks = len(asyncio.all_tasks())  # a subscription is a task
    for number in range(40):
        await call.submit(f"l{number}")
    await queue.empties()
    assert len(call.of("text")) == 41
    # Where one pull stood open for all slots there may be one for each now.
    await until(lambda: len(asyncio.all_tasks()) < tasks + slots, "tasks as before")


async def test_work_that_cannot_be_read_leaves_the_queue(
    bus: Bus, call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    async def handler(lease: Lease) -> None:
        await lease.send(text=TextDelta(text="ok"))

    await start_worker(handler)
    await bus.request("work.llm.default", b"\xff\xff not protobuf", timeout=2)
    bad_id = Work(lease_id="l1", call_id="x.>.y")
    await bus.request("work.llm.default", bad_id.SerializeToString(), timeout=2)
    await call.submit("l2")
    await until(lambda: bool(call.of("text")), "the good work behind it")
    await queue.empties()


@pytest.mark.parametrize("bad", ["", "a.b", "a*", ">", "a b", "a\r\nPUB x", "ü", "x" * 129])
def test_ids_that_mean_something_in_a_subject_are_refused(bad: str) -> None:
    for subject_of in (audio_subject, control_subject, events_subject):
        with pytest.raises(ValueError, match="subject"):
            subject_of(bad)
