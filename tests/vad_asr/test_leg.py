"""The leg's contract: what comes for what was sent, in which order, on which clock."""

import threading
from typing import Any

import numpy as np
import pytest

from dialtone.audio import AudioEncoder, pcm16_to_float
from dialtone.bus import HandBack, WorkError
from dialtone.v1.common_pb2 import (
    AUDIO_ENCODING_PCM16,
    AUDIO_ENCODING_PCMA,
    AUDIO_ENCODING_PCMU,
    AudioEncoding,
    AudioFormat,
)
from dialtone.v1.ears_pb2 import CommitInput, EarsResume, Transcript
from dialtone.vad_asr.service import Ears
from tests.fixtures.speech import Samples, silence, voice_like
from tests.vad_asr.conftest import ScriptedRecognizer
from tests.vad_asr.ears_call import PCM16_16K, EarsCall, audible, manual, server_vad

ONE_TURN = ["speech_started", "speech_stopped", "transcript"]


def question(seconds: float = 1.0, tail_s: float = 0.8) -> Samples:
    return np.concatenate([silence(0.5), voice_like(seconds), silence(tail_s)])


def assert_set(event: threading.Event) -> None:
    assert event.wait(10)


async def test_a_turn_is_started_stopped_and_transcribed_in_this_order(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad()).start(simulated_ears.handle)
    call.say(question())
    call.say(question())
    await call.finish()
    assert call.bodies == [*ONE_TURN[:2], *ONE_TURN[:2], "transcript", "transcript", "leg_done"]
    assert [t.utterance for t in call.transcripts()] == [1, 2]
    assert [t.text for t in call.transcripts()] == ["simulated question 1", "simulated question 2"]
    final, stopped, started = call.transcripts()[0], call.stopped[0], call.started[0]
    assert (final.audio_start_us, final.audio_end_us) == (started.audio_start_us, stopped.audio_end_us)


async def test_the_simulated_answer_comes_100_ms_after_the_decision(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad()).start(simulated_ears.handle)
    call.say(question())
    await call.until(call.transcripts)
    waited = call.when("transcript") - call.when("speech_stopped")
    assert 0.095 <= waited < 0.25
    assert call.transcripts()[0].compute_us == 100_000
    await call.cancel()


@pytest.mark.parametrize(
    ("encoding", "rate"),
    [
        (AUDIO_ENCODING_PCM16, 8_000),
        (AUDIO_ENCODING_PCM16, 24_000),
        (AUDIO_ENCODING_PCM16, 48_000),
        (AUDIO_ENCODING_PCMU, 8_000),
        (AUDIO_ENCODING_PCMA, 8_000),
    ],
)
async def test_every_format_is_heard_on_the_same_clock(
    simulated_ears: Ears, encoding: AudioEncoding, rate: int
) -> None:
    audio_format = AudioFormat(encoding=encoding, sample_rate=rate)
    samples = question()
    encoder = AudioEncoder(16_000, audio_format)
    data = encoder.feed(pcm16_to_float(samples)) + encoder.flush()
    call = EarsCall(server_vad(300), audio_format=audio_format).start(simulated_ears.handle)
    call.say_bytes(data, 641)  # frames that end in the middle of a sample
    await call.finish()
    _, last_ms = audible(samples)
    assert abs(call.stopped[0].audio_end_us / 1000 - last_ms - 300) <= 40


async def test_the_format_may_change_in_the_middle(simulated_ears: Ears) -> None:
    telephone = AudioFormat(encoding=AUDIO_ENCODING_PCMU, sample_rate=8_000)
    encoder = AudioEncoder(16_000, telephone)
    second = question()
    call = EarsCall(server_vad(300)).start(simulated_ears.handle)
    call.say(question())
    call.put(format=telephone)
    call.say_bytes(encoder.feed(pcm16_to_float(second)) + encoder.flush(), 160)
    await call.finish()
    _, last_ms = audible(second)
    expected_ms = len(question()) / 16 + last_ms + 300
    assert abs(call.stopped[1].audio_end_us / 1000 - expected_ms) <= 40


async def test_a_format_that_is_none_fails_the_work_for_good(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad(), audio_format=AudioFormat(sample_rate=16_000)).start(simulated_ears.handle)
    with pytest.raises(WorkError) as failed:
        await call.ended()
    assert failed.value.code == "unsupported_format"
    assert not failed.value.retryable


async def test_an_empty_recording_ends_without_a_turn(simulated_ears: Ears) -> None:
    for data in (b"", b"\x01", silence(0.3).tobytes()):
        call = EarsCall(server_vad()).start(simulated_ears.handle)
        call.put(audio=data)
        await call.finish()
        assert call.bodies == ["leg_done"]


async def test_the_end_of_input_ends_an_open_turn(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad(5_000)).start(simulated_ears.handle)
    call.say(np.concatenate([silence(0.5), voice_like(1.0)]))
    await call.finish()
    assert call.bodies == [*ONE_TURN, "leg_done"]
    assert call.transcripts()[0].text
    assert call.stopped[0].audio_end_us == 1_500_000


async def test_commit_ends_an_open_turn_at_once(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad(5_000)).start(simulated_ears.handle)
    call.say(np.concatenate([silence(0.5), voice_like(1.0)]))
    call.put(commit=CommitInput(utterance=1))
    await call.until(call.transcripts)
    assert call.bodies == ONE_TURN
    call.put(commit=CommitInput(utterance=1))  # crossed the end of the turn: answered already
    await call.finish()
    assert call.bodies == [*ONE_TURN, "leg_done"]


async def test_manual_turns_are_what_was_said_since_the_last_commit(scripted_ears: Ears) -> None:
    call = EarsCall(manual()).start(scripted_ears.handle)
    call.say(question(1.0))
    call.put(commit=CommitInput(utterance=1))
    call.say(question(2.0))
    call.put(commit=CommitInput(utterance=2))
    call.put(commit=CommitInput(utterance=3))
    await call.finish()
    assert call.bodies == ["transcript"] * 3 + ["leg_done"]
    first, second, third = call.transcripts()
    assert (first.audio_start_us, first.audio_end_us) == (0, 2_300_000)
    assert (second.audio_start_us, second.audio_end_us) == (2_300_000, 5_600_000)
    assert [t.utterance for t in (first, second, third)] == [1, 2, 3]
    # Silence around the voice is cut down to a margin before it is recognised.
    assert 1.3 <= float(first.text.split()[0]) <= 1.7
    assert 2.3 <= float(second.text.split()[0]) <= 2.7
    assert third.text == ""


async def test_a_manual_turn_of_silence_is_empty(scripted_ears: Ears) -> None:
    call = EarsCall(manual()).start(scripted_ears.handle)
    call.say(silence(3))
    call.put(commit=CommitInput(utterance=1))
    await call.finish()
    assert call.transcripts()[0].text == ""


async def test_long_silence_inside_a_manual_turn_is_not_recognised(scripted_ears: Ears) -> None:
    call = EarsCall(manual()).start(scripted_ears.handle)
    call.say(np.concatenate([voice_like(1.0), silence(20), voice_like(1.0), silence(1)]))
    call.put(commit=CommitInput(utterance=1))
    await call.finish()
    lengths = [float(word) for word in call.transcripts()[0].text.split() if word != "seconds"]
    assert len(lengths) == 2
    assert sum(lengths) < 4


async def test_a_long_turn_is_recognised_in_passages(scripted_ears: Ears) -> None:
    call = EarsCall(server_vad()).start(scripted_ears.handle)
    call.say(np.concatenate([voice_like(15), silence(0.3), voice_like(16), silence(1)]))
    await call.finish()
    lengths = [float(word) for word in call.transcripts()[0].text.split() if word != "seconds"]
    assert len(lengths) == 2
    assert 14.9 <= lengths[0] <= 15.4  # cut in the pause
    assert 31 <= sum(lengths) <= 32


async def test_clear_forgets_what_was_said(scripted_ears: Ears) -> None:
    call = EarsCall(manual()).start(scripted_ears.handle)
    call.say(question(2.0))
    call.put(clear={})
    call.say(question(1.0))
    call.put(commit=CommitInput(utterance=1))
    await call.finish()
    assert call.transcripts()[0].audio_start_us == 3_300_000
    assert float(call.transcripts()[0].text.split()[0]) < 2


async def test_clear_ends_an_announced_turn_without_words(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad(5_000)).start(simulated_ears.handle)
    call.say(np.concatenate([silence(0.5), voice_like(1.0), silence(0.3)]))
    call.put(clear={})
    call.say(question())
    await call.finish()
    assert sorted(call.bodies) == sorted([*ONE_TURN, *ONE_TURN, "leg_done"])
    assert [t.text for t in call.transcripts()] == ["", "simulated question 1"]
    assert [t.utterance for t in call.transcripts()] == [1, 2]


@pytest.mark.parametrize(
    "cut", [{"clear": {}}, {"commit": CommitInput(utterance=1)}], ids=["clear", "commit"]
)
async def test_the_rest_of_a_sound_that_the_client_cut_is_no_turn(
    simulated_ears: Ears, cut: dict[str, Any]
) -> None:
    call = EarsCall(server_vad()).start(simulated_ears.handle)
    call.say(np.concatenate([silence(0.5), voice_like(1.01)]))
    call.put(**cut)
    call.say(silence(1.5))
    await call.finish()
    assert call.bodies == [*ONE_TURN, "leg_done"]


async def test_who_speaks_on_after_a_clear_begins_a_turn_there(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad()).start(simulated_ears.handle)
    call.say(np.concatenate([silence(0.5), voice_like(1.01)]))
    call.put(clear={})
    call.say(np.concatenate([voice_like(1.0), silence(1.0)]))
    await call.finish()
    assert [start.audio_start_us for start in call.started][1:] == [1_510_000]
    assert [t.text for t in call.transcripts()] == ["", "simulated question 1"]


async def test_turn_detection_changes_from_one_frame_to_the_next(simulated_ears: Ears) -> None:
    call = EarsCall(manual()).start(simulated_ears.handle)
    call.say(question())
    call.put(config=server_vad(200))
    call.say(question())
    call.put(config=manual())
    call.say(question())
    await call.finish()
    assert call.bodies == [*ONE_TURN, "leg_done"]
    assert call.started[0].audio_start_us > 2_300_000


async def test_a_new_attempt_goes_on_inside_a_turn(simulated_ears: Ears) -> None:
    resume = EarsResume(
        start_us=60_000_000,
        next_seq=321,
        next_utterance=8,
        in_speech=True,
        speech_start_us=60_100_000,
        config=server_vad(300),
    )
    call = EarsCall(manual(), resume=resume).start(simulated_ears.handle)
    said = np.concatenate([silence(0.1), voice_like(1.0), silence(1.0)])
    call.say(said)
    call.say(question())
    await call.finish()
    assert [s.utterance for s in call.started] == [8]
    assert [s.utterance for s in call.stopped] == [7, 8]
    _, last_ms = audible(said)
    assert abs(call.stopped[0].audio_end_us / 1000 - 60_000 - last_ms - 300) <= 30
    assert call.transcripts()[0].audio_start_us == 60_100_000


async def test_a_new_attempt_hears_a_turn_that_had_no_words_yet_again(scripted_ears: Ears) -> None:
    resume = EarsResume(start_us=10_000_000, next_seq=5, next_utterance=3, config=server_vad(300))
    call = EarsCall(manual(), resume=resume).start(scripted_ears.handle)
    call.say(question())
    call.put(commit=CommitInput(utterance=3))  # the client's, replayed: the turn ended by itself this time
    await call.finish()
    assert [t.utterance for t in call.transcripts()] == [3]


async def test_a_leaving_worker_hands_the_leg_back(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad()).start(simulated_ears.handle)
    call.say(silence(0.1))
    await call.lease_idle()
    call.leave()
    with pytest.raises(HandBack):
        await call.ended(2)
    assert "leg_done" not in call.bodies


async def test_what_is_being_recognised_is_finished_before_the_leg_is_handed_back(
    scripted_ears: Ears, recognizer: ScriptedRecognizer
) -> None:
    release = threading.Event()
    recognizer.before = lambda: assert_set(release)
    call = EarsCall(server_vad(300)).start(scripted_ears.handle)
    call.say(question(tail_s=0.5))
    await call.until(lambda: call.stopped)
    call.leave()
    call.say(question(tail_s=0.0))
    await call.until(lambda: len(call.started) == 2)  # it listens on meanwhile
    assert call.transcripts() == []
    release.set()
    with pytest.raises(HandBack):
        await call.ended(5)
    assert [final.utterance for final in call.transcripts()] == [1]
    assert call.transcripts()[0].text


async def test_a_pause_that_may_be_the_end_is_waited_for(scripted_ears: Ears) -> None:
    call = EarsCall(server_vad(1_000)).start(scripted_ears.handle)
    call.say(question(tail_s=0.5))
    await call.until(lambda: call.progress and call.progress[-1].audio_us >= 1_900_000)
    call.leave()
    call.say(silence(0.7))
    with pytest.raises(HandBack):
        await call.ended(5)
    assert [kind for kind in call.bodies if kind in ONE_TURN] == ONE_TURN


async def test_who_speaks_on_is_handed_over_at_once(scripted_ears: Ears) -> None:
    call = EarsCall(server_vad(1_000)).start(scripted_ears.handle)
    call.say(question(tail_s=0.5))
    await call.until(lambda: call.progress and call.progress[-1].audio_us >= 1_900_000)
    call.leave()
    call.say(voice_like(0.3))
    with pytest.raises(HandBack):
        await call.ended(5)
    assert call.bodies == ["speech_started"]


async def test_a_recogniser_that_takes_too_long_is_left_to_the_next_ears(
    scripted_ears: Ears, recognizer: ScriptedRecognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialtone.vad_asr.leg._STAY_SECONDS", 0.3)
    release = threading.Event()
    recognizer.before = lambda: assert_set(release)
    call = EarsCall(server_vad(300)).start(scripted_ears.handle)
    call.say(question(tail_s=0.5))
    await call.until(lambda: call.stopped)
    call.leave()
    try:
        with pytest.raises(HandBack):
            await call.ended(5)
        assert call.transcripts() == []
    finally:
        release.set()


async def test_progress_says_how_far_was_listened(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad()).start(simulated_ears.handle)
    call.say(silence(0.4))
    await call.until(lambda: call.progress)
    assert (call.progress[-1].audio_us, call.progress[-1].next_seq) == (400_000, 21)
    call.say(silence(0.02))
    await call.until(lambda: len(call.progress) == 2, timeout=2)
    assert call.progress[-1].next_seq == 22
    await call.cancel()


async def test_work_of_another_stage_is_refused(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad(), audio_format=PCM16_16K)
    call.lease.work.turn.response_id = "r1"
    with pytest.raises(WorkError):
        await simulated_ears.handle(call.lease)


async def test_calls_do_not_hear_each_other(scripted_ears: Ears) -> None:
    calls = [EarsCall(server_vad(200), call_id=f"c{n}").start(scripted_ears.handle) for n in range(4)]
    for n, call in enumerate(calls):
        call.say(question(seconds=0.5 + n / 2, tail_s=0.5))
    for n, call in enumerate(calls):
        await call.until(call.transcripts)
        final = call.transcripts(Transcript.KIND_FINAL)[0]
        if not final.error.code:
            assert abs(float(final.text.split()[0]) - (0.5 + n / 2 + 0.5)) <= 0.25
        await call.cancel()
