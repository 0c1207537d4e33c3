"""The broker goes away under a call: the client is told, and what was in hand goes on when it is back."""

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits

from .harness import Rig

GONE, BACK = do.BrokerSeen(False), do.BrokerSeen(True)


def test_the_client_is_told_once_and_the_call_ends_when_the_broker_stays_away() -> None:
    rig = Rig()
    rig.listen()
    rig.feed(GONE)
    rig.wait(0.3)
    assert rig.errors() == []
    rig.wait(0.2)
    assert rig.errors() == ["bus_unavailable"]
    rig.wait(14.4)
    assert list(rig.closes()) == []
    rig.wait(0.2)
    assert [close.code for close in rig.closes()] == [1013]
    assert rig.errors() == ["bus_unavailable"]
    assert rig.call.open_leases() == 0


def test_nothing_is_said_of_a_moment() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.feed(GONE)
    rig.wait(0.3)
    rig.feed(BACK)
    ears.heard()
    rig.wait(30)
    assert rig.errors() == []
    assert list(rig.closes()) == []


def test_no_worker_is_blamed_for_the_time_without_a_broker() -> None:
    limits = Limits(broker_away_s=3600)
    rig = Rig(limits=limits)
    rig.voice_turn(rig.listen())
    rig.take("llm").text("One. ")
    submitted = [len(rig.work(stage)) for stage in ("asr", "llm", "tts")]
    rig.feed(GONE)
    rig.speak(1000)
    rig.wait(max(*limits.silent_s.values(), *limits.claim_s.values()) + 1)
    assert [len(rig.work(stage)) for stage in ("asr", "llm", "tts")] == submitted
    assert rig.errors() == ["bus_unavailable"]


def test_work_of_which_nothing_is_heard_after_it_is_issued_anew_and_goes_on_where_it_was() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    first = rig.take("llm")
    first.text("One two. ")
    rig.feed(GONE)
    rig.wait(3)
    rig.feed(BACK)
    rig.wait(1.1)
    assert first.work.lease_id in rig.cancelled()
    second = rig.take("llm")
    assert second.attempt > first.attempt
    assert rig.grants()[-1].turn.delivered_text == "One two. "
    second.text("Three four.")
    second.done()
    assert "".join(e.delta for e in rig.of(out.AudioTranscriptDelta)) == "One two. Three four."


def test_work_that_nobody_had_taken_is_issued_anew_as_well() -> None:
    """It may have been taken from its queue by a worker that could not reach this gateway."""
    rig = Rig()
    rig.voice_turn(rig.listen())
    offered = rig.work("llm")
    rig.feed(GONE)
    rig.wait(10)
    rig.feed(BACK)
    rig.wait(1.1)
    assert len(rig.work("llm")) == len(offered) + 1
    rig.take("llm").text("Here I am.")


def test_a_worker_that_goes_on_keeps_its_work() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("One two. ")
    issued = len(rig.work("llm"))
    rig.feed(GONE)
    rig.wait(0.5)
    rig.feed(BACK)
    llm.text("Three ")
    rig.wait(5)
    assert len(rig.work("llm")) == issued


@pytest.mark.parametrize("outages", [2, 20])
def test_work_outlives_any_number_of_outages(outages: int) -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.take("llm").text("One two. ")
    for _ in range(outages):
        rig.feed(GONE)
        rig.wait(2)
        rig.feed(BACK)
        rig.wait(1.1)
        rig.take("llm")
    assert set(rig.errors()) == {"bus_unavailable"}


def test_ears_that_are_not_heard_of_are_replaced_and_miss_nothing() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.ears = None  # it says nothing more
    rig.feed(GONE)
    rig.speak(2000)
    rig.feed(BACK)
    rig.speak(1100)
    rig.wait(0)
    again = rig.take("asr")
    seqs = [frame.seq for frame in rig.inputs() if frame.attempt == again.attempt]
    assert seqs == list(range(seqs[0], seqs[-1] + 1))
    assert rig.grants()[-1].ears.next_seq == seqs[0]
    assert rig.grants()[-1].ears.in_speech


def test_what_was_not_queued_while_the_broker_was_away_is_queued_when_it_is_back() -> None:
    rig = Rig()
    rig.listen()
    rig.feed(GONE)
    rig.feed(ask.CreateResponse())
    work = rig.work("llm")[-1]
    rig.feed(do.SubmitFailed(work.lease_id, "bus_unavailable", "away"))
    rig.wait(10)
    assert len(rig.work("llm")) == 1
    rig.feed(BACK)
    rig.wait(0)
    assert [again.lease_id for again in rig.work("llm")] == [work.lease_id] * 2
    rig.take("llm").text("Here I am.")
