"""A leg hears its call's inputs in order, once each, with gaps repaired, and only under its own attempt."""

import asyncio

import pytest

from dialtone.bus import Bus, HandBack, Lease, Stage, WorkError, audio_subject
from dialtone.bus.inputs import InputSequence
from dialtone.v1.ears_pb2 import EarsInput, EarsLeg, EarsResume
from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.conftest import StartWorker
from tests.contract.bus.queue_state import QueueState


async def send(bus: Bus, seq: int, *, lease_id: str = "leg", attempt: int = 0) -> None:
    frame = EarsInput(lease_id=lease_id, attempt=attempt, seq=seq, audio=b"%d" % seq)
    await bus.publish(audio_subject("call-1"), frame.SerializeToString())


class Leg:
    """A handler that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.ended = ""

    async def __call__(self, lease: Lease) -> None:
        try:
            async for frame in lease.inputs():
                self.heard.append(frame.seq)
                if frame.HasField("end"):
                    return
        except BaseException as error:
            self.ended = type(error).__name__
            raise


async def begin(call: CallSide, start_worker: StartWorker, *, next_seq: int = 0) -> Leg:
    def grant(claim: WorkerEvent) -> Grant:
        return Grant(granted=claim.attempt == 0, ears=EarsResume(next_seq=next_seq))

    leg = Leg()
    call.grant = grant
    worker = await start_worker(leg)
    work = Work(lease_id="leg", call_id="call-1", ears=EarsLeg())
    await call.bus.submit(Stage.LLM, "default", work)
    await until(lambda: worker.active == 1 and bool(call.of("claim")), "the leg")
    return leg


async def test_from_the_granted_sequence_on_without_duplicates_or_strangers(
    bus: Bus, call: CallSide, start_worker: StartWorker
) -> None:
    leg = await begin(call, start_worker, next_seq=5)
    for seq in (3, 5, 5, 6, 7, 6):
        await send(bus, seq)
    await send(bus, 8, lease_id="another")
    await send(bus, 8)
    await until(lambda: leg.heard[-1:] == [8], "the last frame")
    assert leg.heard == [5, 6, 7, 8]
    assert call.of("replay") == []


async def test_a_gap_is_asked_for_and_filled_in_order(
    bus: Bus, call: CallSide, start_worker: StartWorker
) -> None:
    leg = await begin(call, start_worker)
    for seq in (0, 1, 4, 5):
        await send(bus, seq)
    await until(lambda: len(call.of("replay")) == 2, "asked, and asked again")
    assert {event.replay.from_seq for event in call.of("replay")} == {2}
    assert leg.heard == [0, 1]
    for seq in (2, 3, 4, 5, 6):
        await send(bus, seq)
    await until(lambda: leg.heard[-1:] == [6], "all of it")
    assert leg.heard == [0, 1, 2, 3, 4, 5, 6]


async def test_a_gap_that_nobody_fills_fails_the_attempt(
    bus: Bus, call: CallSide, start_worker: StartWorker
) -> None:
    leg = await begin(call, start_worker)
    await send(bus, 1)
    await until(lambda: bool(call.of("failed")), "the failure")
    assert leg.ended == WorkError.__name__
    assert call.of("failed")[0].failed.error.code == "input_gap"
    assert not call.of("failed")[0].failed.final


async def test_inputs_for_a_higher_attempt_end_the_old_one_without_a_word(
    bus: Bus, call: CallSide, start_worker: StartWorker
) -> None:
    leg = await begin(call, start_worker)
    await send(bus, 0)
    await until(lambda: leg.heard == [0], "the first frame")
    await send(bus, 1, attempt=1)
    await until(lambda: leg.ended == asyncio.CancelledError.__name__, "the end of the old attempt")
    await until(lambda: call.attempts("leg") == [0, 1], "not acked: delivered again after the ack wait")
    assert {event.WhichOneof("body") for event in call.events} == {"claim"}


async def test_work_that_is_refused_leaves_the_queue_although_others_have_its_lease_already(
    bus: Bus, call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    overtaking: list[asyncio.Task[None]] = []

    def refuse(_claim: WorkerEvent) -> Grant:
        overtaking.append(asyncio.create_task(send(bus, 0, attempt=16)))  # arrives before the answer
        return Grant(granted=False, reason="void")

    call.grant = refuse
    await start_worker(Leg())
    await bus.submit(Stage.LLM, "default", Work(lease_id="leg", call_id="call-1", ears=EarsLeg()))
    await until(lambda: bool(overtaking), "the claim")
    await queue.empties()
    assert call.attempts("leg") == [0]


def test_a_full_buffer_refuses_frames_and_shows_it_as_a_gap() -> None:
    inputs = InputSequence(capacity=3)
    inputs.start(0)
    for seq in range(6):
        inputs.receive(EarsInput(seq=seq))
    heard = []
    while (frame := inputs.pop()) is not None:
        heard.append(frame.seq)
    assert heard == [0, 1, 2]
    assert inputs.missing == 3


def test_a_buffer_full_of_later_frames_takes_the_one_that_is_missing() -> None:
    inputs = InputSequence(capacity=2)
    for seq in (1, 2, 3):
        inputs.receive(EarsInput(seq=seq))
    inputs.start(0)
    assert inputs.missing == 0
    inputs.receive(EarsInput(seq=0))
    assert [frame.seq for frame in iter(inputs.pop, None)] == [0, 1, 2]
    assert inputs.missing == 3


async def test_a_leg_that_is_behind_takes_more_at_once_but_nothing_across_a_gap(bus: Bus) -> None:
    lease = Lease(bus, Work(lease_id="leg", call_id="call-1"), 0, asyncio.Event())
    lease.granted(Grant(granted=True, ears=EarsResume(next_seq=1)))
    for seq in (1, 2, 3, 5):
        lease.receive(EarsInput(seq=seq, audio=b"." if seq != 3 else b""))
    inputs = lease.inputs()
    assert (await anext(inputs)).seq == 1
    second = lease.next_if(lambda frame: bool(frame.audio))
    assert second is not None
    assert second.seq == 2
    assert lease.next_if(lambda frame: bool(frame.audio)) is None  # the third is there, but not wanted
    assert (await anext(inputs)).seq == 3
    assert lease.next_if(lambda _frame: True) is None  # the fourth is missing
    lease.receive(EarsInput(seq=4))
    lease.draining.set()
    assert lease.next_if(lambda _frame: True) is None


async def test_a_leg_that_stays_for_a_moment_still_gets_its_inputs_and_has_what_is_missing_sent_again(
    bus: Bus, call: CallSide
) -> None:
    lease = Lease(bus, Work(lease_id="leg", call_id=call.call_id), 0, asyncio.Event())
    lease.granted(Grant(granted=True, ears=EarsResume(next_seq=1)))
    stays = True
    inputs = lease.inputs(lambda: stays)
    lease.draining.set()
    lease.receive(EarsInput(seq=1))
    assert (await anext(inputs)).seq == 1
    lease.receive(EarsInput(seq=3))  # the second is missing
    third = asyncio.ensure_future(anext(inputs))
    await until(lambda: len(call.of("replay", "leg")) == 1, "a request for the second")
    lease.receive(EarsInput(seq=2))
    assert [(await third).seq, (await anext(inputs)).seq] == [2, 3]
    waiting = asyncio.ensure_future(anext(inputs))
    await asyncio.sleep(0)
    stays = False
    lease.wake()
    with pytest.raises(HandBack):
        await waiting
    assert len(call.of("replay", "leg")) == 1


async def test_a_leg_whose_call_is_gone_without_a_word_is_let_go(
    call: CallSide, queue: QueueState, start_worker: StartWorker
) -> None:
    leg = await begin(call, start_worker)
    await call.close()  # its gateway was killed: nobody says that the call has ended
    await until(lambda: leg.ended == "CancelledError", "the end of the leg", timeout=15)
    await queue.empties()


async def test_a_leg_outlives_a_gateway_that_only_connects_again(
    call: CallSide, start_worker: StartWorker
) -> None:
    leg = await begin(call, start_worker)
    await call.close()
    await asyncio.sleep(1.5)  # long enough for a look
    await call.open()
    await asyncio.sleep(4.0)  # longer than a call may be missed
    assert not leg.ended
    await send(call.bus, 0)
    await until(lambda: leg.heard == [0], "the input")
