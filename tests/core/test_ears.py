"""What new ears are given: every word that nobody has understood yet, and nothing twice."""

from typing import Any

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core.session import Audio, AudioInput, SessionConfig
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCMU, AudioFormat
from dialtone.v1.ears_pb2 import EarsInput

from .harness import FRAME, Rig

BY_HAND = SessionConfig(audio=Audio(input=AudioInput(turn_detection=None)))


def given(rig: Rig, attempt: int) -> list[EarsInput]:
    return [frame for frame in rig.inputs() if frame.attempt == attempt]


def test_ears_that_come_late_hear_the_call_from_its_beginning() -> None:
    rig = Rig()
    rig.speak(7000)
    rig.take("asr")
    assert given(rig, 0)[0].start_us == 0
    assert len(given(rig, 0)) == 350


def test_what_dead_ears_had_not_heard_is_heard_by_the_next_with_some_moments_before() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.speak(10_000)
    rig.ears = None  # dead, and it takes long until others come
    rig.speak(4000)
    rig.claim(ears.work, attempt=1)
    assert 7_900_000 <= given(rig, 1)[0].start_us <= 8_020_000


def test_a_turn_that_has_its_words_is_not_heard_again() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    committed_us = 820_000
    rig.claim(ears.work, attempt=1)
    resume = rig.grants()[-1].ears
    assert resume.next_utterance == 2
    assert resume.start_us >= committed_us - 20_000


def test_all_that_may_be_committed_by_hand_is_kept() -> None:
    rig = Rig(BY_HAND)
    ears = rig.listen()
    rig.speak(10_000)
    rig.claim(ears.work, attempt=1)
    assert rig.grants()[-1].ears.start_us == 0


def test_a_transcript_that_never_came_does_not_make_the_call_keep_its_audio() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    ears.stopped(1, 20)
    rig.wait(21)
    rig.speak(20_000)
    rig.claim(ears.work, attempt=1)
    assert len(given(rig, 1)) < 150


def test_new_ears_learn_the_format_that_the_client_speaks_by_now() -> None:
    rig = Rig()
    ears = rig.listen()
    patch: dict[str, Any] = {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    rig.feed(ask.UpdateSession(patch=patch))
    for _ in range(250):
        rig.feed(ask.AppendAudio(audio=bytes(160)))
    ears.heard()
    rig.feed(ask.AppendAudio(audio=bytes(160)))
    rig.claim(ears.work, attempt=1)
    first, *rest = given(rig, 1)
    assert first.format == AudioFormat(encoding=AUDIO_ENCODING_PCMU, sample_rate=8000)
    assert first.seq == rig.grants()[-1].ears.next_seq
    assert first.start_us == rig.grants()[-1].ears.start_us
    assert [frame.seq for frame in rest] == list(range(first.seq + 1, first.seq + 1 + len(rest)))
    assert all(frame.HasField("audio") for frame in rest)


def test_ears_that_are_sent_audio_and_say_nothing_are_replaced_and_then_the_call_ends_with_a_reason() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.ears = None
    rig.speak(6000)
    rig.wait(1)
    assert len(rig.work("asr")) == 2
    assert ears.work.lease_id in rig.cancelled()
    rig.wait(10)
    assert rig.errors() == ["overloaded"]
    assert [close.code for close in rig.closes()] == [1013]


def test_ears_may_be_silent_while_the_client_is() -> None:
    rig = Rig()
    rig.listen()
    rig.wait(600)
    assert len(rig.work("asr")) == 1
    assert not rig.errors()


def test_ears_that_say_how_far_they_are_are_left_alone() -> None:
    rig = Rig()
    rig.listen()
    for _ in range(100):
        rig.speak(300)
        rig.wait(0.01)
    assert len(rig.work("asr")) == 1


def test_a_turn_that_new_ears_hear_as_a_part_of_another_does_not_hold_the_answer_up() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(1000)
    ears.stopped(1, 900)
    ears.started(2, 950)
    rig.ears = None
    rig.speak(200)
    new = rig.claim(ears.work, attempt=1)
    new.started(1, 0)
    new.stopped(1, 1200)
    new.final(1, "All of it")
    assert rig.work("llm")[0].turn.messages[-1].text == "All of it"


@pytest.mark.parametrize("back_after_s", [0.6, 6.0])
def test_ears_are_asked_for_again_when_the_broker_was_away(back_after_s: float) -> None:
    rig = Rig()
    rig.speak(20)
    until = rig.now + back_after_s
    while rig.now < until:
        rig.feed(do.SubmitFailed(rig.work("asr")[0].lease_id, "bus_unavailable", "away"))
        rig.wait(0.6)
    rig.feed(ask.AppendAudio(audio=FRAME))
    rig.take("asr").heard()
    rig.wait(30)
    assert not rig.errors()


def test_a_call_whose_ears_never_get_onto_their_queue_ends_with_the_reason() -> None:
    rig = Rig()
    rig.speak(20)
    for _ in range(20):
        rig.feed(do.SubmitFailed(rig.work("asr")[0].lease_id, "bus_unavailable", "away"))
        rig.wait(0.5)
    assert rig.errors() == ["bus_unavailable"]
    assert [close.code for close in rig.closes()] == [1013]
