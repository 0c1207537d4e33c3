"""A recording sent at once: the ears get it all, in order, and never more than they can hold."""

from __future__ import annotations

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.session import Audio, AudioFormat, AudioInput, SessionConfig
from dialtone.v1.ears_pb2 import AudioProgress, EarsInput

from .harness import FRAME, Rig, Worker

MINUTES = 5 * 60
SECOND = bytes(range(250)) * 192  # 48,000 bytes: a second of PCM at 24 kHz
LIMITS = Limits()


def burst(rig: Rig, seconds: int = MINUTES) -> None:
    rig.feed(ask.AppendAudio(audio=SECOND * seconds))


def test_a_call_that_brings_more_audio_than_it_may_is_ended_and_its_ears_with_it() -> None:
    rig = Rig(limits=Limits(audio_at_once_s=60))
    burst(rig, 59)
    rig.take("asr")
    for _ in range(100):  # somebody who speaks, after that recording
        rig.now += 1
        burst(rig, 1)
    rig.now += 50  # what was not used of the time counts, too
    burst(rig, 70)
    assert not rig.errors()
    assert not rig.call.closed
    burst(rig, 20)
    assert rig.errors() == ["audio_too_fast"]
    assert [effect for effect in rig.effects if isinstance(effect, do.Close)] == [
        do.Close(1008, "audio too fast")
    ]
    assert rig.call.open_leases() == 0


def test_without_a_limit_any_recording_may_come() -> None:
    rig = Rig(limits=Limits(audio_at_once_s=0))
    for _ in range(40):
        burst(rig)
    assert not rig.call.closed


def sent_to(rig: Rig, attempt: int) -> list[EarsInput]:
    return [frame for frame in rig.inputs() if frame.attempt == attempt]


def hear(ears: Worker, frame: EarsInput) -> None:
    """The ears have listened up to and with this frame."""
    end_us = frame.start_us + len(frame.audio) * 1_000_000 // 48_000
    ears.say(progress=AudioProgress(audio_us=end_us, next_seq=frame.seq + 1))


def hear_all(rig: Rig, ears: Worker) -> None:
    heard = -1
    while (last := sent_to(rig, ears.attempt)[-1]).seq != heard:
        heard = last.seq
        hear(ears, last)


def test_minutes_sent_at_once_go_out_in_seconds_and_only_a_little_ahead_of_the_ears() -> None:
    rig = Rig()
    burst(rig)
    ears = rig.take("asr")
    first = sent_to(rig, 0)
    assert first[-1].start_us == LIMITS.ears_ahead_us
    assert max(len(frame.audio) for frame in first) == len(SECOND)
    hear(ears, first[4])
    assert sent_to(rig, 0)[-1].start_us == 5_000_000 + LIMITS.ears_ahead_us
    hear_all(rig, ears)
    frames = sent_to(rig, 0)
    assert b"".join(frame.audio for frame in frames) == SECOND * MINUTES
    assert [frame.seq for frame in frames] == list(range(1, MINUTES + 1))
    assert [frame.start_us for frame in frames] == [n * 1_000_000 for n in range(MINUTES)]


@pytest.mark.parametrize(
    ("wire", "rate"),
    [(AudioFormat("audio/pcm", 24_000), 48_000), (AudioFormat("audio/pcmu"), 8_000)],
    ids=["pcm", "pcmu"],
)
def test_no_frame_is_longer_than_a_second_in_any_format(wire: AudioFormat, rate: int) -> None:
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(format=wire))))
    rig.feed(ask.AppendAudio(audio=bytes(rate * 5 // 2)))
    rig.take("asr")
    assert [len(frame.audio) for frame in rig.inputs()] == [rate, rate, rate // 2]


def test_many_small_frames_are_held_back_by_their_number() -> None:
    rig = Rig()
    rig.listen()
    for _ in range(3_000):
        rig.feed(ask.AppendAudio(audio=FRAME[:96]))
    assert len(sent_to(rig, 0)) == LIMITS.ahead_inputs + 1  # the first is heard


def test_what_follows_a_burst_stays_behind_it() -> None:
    rig = Rig()
    ears = rig.listen()
    burst(rig, 60)
    rig.feed(ask.CommitAudio())
    assert not any(frame.HasField("commit") for frame in rig.inputs())
    hear_all(rig, ears)
    assert rig.inputs()[-1].HasField("commit")


def test_what_was_lost_is_sent_again_however_long_ago_it_came_from_the_client() -> None:
    rig = Rig()
    ears = rig.listen()
    burst(rig)
    hear(ears, sent_to(rig, 0)[3])
    before = len(rig.inputs())
    ears.say(replay={"from_seq": 5})
    again = rig.inputs()[before:]
    assert [frame.seq for frame in again] == list(range(5, 5 + len(again)))
    hear_all(rig, ears)
    assert {frame.seq for frame in rig.inputs()} == set(range(1, MINUTES + 2))


def test_new_ears_are_sent_a_long_turn_as_they_hear_it() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    burst(rig, 60)
    hear_all(rig, ears)
    new = rig.claim(ears.work, attempt=1)
    assert rig.grants()[-1].ears.start_us == 0
    assert sent_to(rig, 1)[-1].start_us <= LIMITS.ears_ahead_us
    rig.speak(400)  # the client goes on meanwhile
    hear_all(rig, new)
    seqs = [frame.seq for frame in sent_to(rig, 1)]
    assert seqs == list(range(1, seqs[-1] + 1))
    assert seqs[-1] == 1 + 60 + 20


def test_audio_cleared_before_the_ears_had_it_leaves_no_gap() -> None:
    rig = Rig()
    ears = rig.listen()
    burst(rig)
    rig.feed(ask.ClearAudio())
    hear_all(rig, ears)
    assert rig.inputs()[-1].HasField("clear")
    assert [frame.seq for frame in rig.inputs()] == list(range(1, MINUTES + 3))


def test_the_client_is_to_wait_while_too_much_waits_for_the_ears() -> None:
    rig = Rig()
    ears = rig.listen()
    assert not rig.call.input_full
    burst(rig)
    assert rig.call.input_full
    hear_all(rig, ears)
    assert not rig.call.input_full


def test_a_client_that_speaks_is_never_to_wait_while_ears_are_replaced() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(90_000)
    rig.ears = None
    rig.claim(ears.work, attempt=1)
    rig.speak(4_000)
    assert not rig.call.input_full


def test_the_first_words_of_a_long_recording_are_told_while_the_others_are_recognised() -> None:
    by_hand = AudioInput(turn_detection=None)
    rig = Rig(SessionConfig(type="transcription", audio=Audio(input=by_hand)))
    ears = rig.listen()
    burst(rig)
    rig.feed(ask.CommitAudio())
    hear_all(rig, ears)
    for text in ("One, two.", "One, two. Three,", "One, two. Three, four."):
        ears.partial(1, text)
    ears.final(1, "One, two. Three, four. Five.")
    told = [event.delta for event in rig.of(out.TranscriptionDelta)]
    assert "".join(told) == "One, two. Three, four. Five."
    assert len(told) > 1
