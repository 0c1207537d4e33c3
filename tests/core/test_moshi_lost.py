"""A call whose Moshi is lost: what it was saying ends, and another one goes on."""

from __future__ import annotations

from dialtone.gateway.core import server_events as out
from dialtone.v1.events_pb2 import Released

from .harness import Rig
from .moshi_calls import MOSHI, moshi_of, says, transcripts


def test_an_utterance_is_cut_off_with_its_worker_and_the_next_moshi_numbers_on() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    says(worker, 1, " One", " two")
    worker.gone()
    done = rig.of(out.ResponseDone)[0].response
    assert (done.status, done.status_details.error.code) == ("failed", "worker_lost")
    assert transcripts(rig) == ["One two"]
    after = rig.claim(rig.work("moshi")[-1])
    assert rig.grants()[-1].moshi.next_utterance == 2
    worker.words(1, " zombie")
    says(after, 2, " Hello")
    after.ends(2)
    assert transcripts(rig) == ["One two", "Hello"]


def test_an_utterance_whose_worker_gave_the_call_back_is_over_then() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    says(worker, 1, " One")
    worker.say(released=Released(reason="leaving"))
    assert rig.of(out.ResponseDone)[0].response.status == "failed"
    rig.claim(worker.work, attempt=1)
    assert len(rig.of(out.ResponseDone)) == 1


def test_an_utterance_of_a_worker_whose_work_was_delivered_to_another_is_over_then() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    says(worker, 1, " One")
    rig.claim(worker.work, attempt=1)
    assert rig.of(out.ResponseDone)[0].response.status == "failed"
    assert rig.grants()[-1].moshi.next_utterance == 2


def test_a_new_moshi_is_warmed_up_with_the_last_seconds_and_lives_from_what_nobody_has_heard() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    rig.speak(9_980)
    worker.heard_input(9_000)
    rig.effects.clear()
    rig.claim(worker.work, attempt=1)
    resume = rig.grants()[-1].moshi
    assert (resume.start_us, resume.live_us) == (5_000_000, 9_000_000)
    assert [frame.start_us for frame in rig.inputs()][:2] == [5_000_000, 5_020_000]
    assert rig.inputs()[-1].start_us == 9_980_000


def test_a_moshi_that_comes_late_does_not_hear_what_is_too_old_to_be_answered() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    rig.speak(980)
    worker.heard_input(1_000)
    worker.gone()
    rig.speak(11_000)
    rig.claim(rig.work("moshi")[-1])
    resume = rig.grants()[-1].moshi
    assert (resume.start_us, resume.live_us) == (4_000_000, 8_000_000)


def test_what_is_kept_for_a_new_moshi_is_bounded() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    for _ in range(60):
        rig.speak(1_000)
        worker.heard_input()
    link = rig.call._legs.moshi
    assert link is not None
    assert len(link._kept) <= 202


def test_a_moshi_that_says_nothing_of_what_it_is_sent_is_replaced() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    worker.heard_input()
    rig.wait(60)  # nothing is sent to it
    assert len(rig.work("moshi")) == 1
    rig.speak(20)
    rig.wait(5.1)
    assert len(rig.work("moshi")) == 2
    assert rig.cancelled() == [worker.work.lease_id]


def test_a_call_that_no_moshi_takes_ends_as_overloaded() -> None:
    rig = Rig(MOSHI)
    rig.speak(20)
    rig.wait(8.1)
    assert rig.errors() == ["overloaded"]
    assert next(rig.closes()).code == 1013


def test_a_call_that_every_moshi_dies_of_ends() -> None:
    rig = Rig(MOSHI)
    rig.speak(20)
    for _ in range(3):
        rig.claim(rig.work("moshi")[-1]).gone()
    assert rig.errors() == ["worker_gone"]
    assert next(rig.closes()).code == 1013


def test_a_call_outlives_any_number_of_moshis_as_long_as_each_was_there_for_a_while() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    for _ in range(10):
        for _ in range(6):
            rig.speak(1_000)
            worker.heard_input()
        worker.gone()
        worker = rig.claim(rig.work("moshi")[-1])
    assert not list(rig.closes())
