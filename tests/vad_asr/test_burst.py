"""Minutes of audio at once: all of it is heard, fast, in few words' time, and others are not held up."""

import asyncio
import time

import numpy as np
import pytest

from dialtone.bus import HandBack
from dialtone.v1.ears_pb2 import CommitInput, Transcript
from dialtone.vad_asr.service import Ears
from tests.fixtures.speech import Samples, silence, voice_like
from tests.vad_asr.conftest import ScriptedRecognizer
from tests.vad_asr.ears_call import EarsCall, manual, server_vad

TURNS = 60
ONE_TURN = np.concatenate([voice_like(1.2), silence(0.8)])
TWO_MINUTES: Samples = np.tile(ONE_TURN, TURNS)


async def test_every_turn_of_a_recording_sent_at_once_has_its_words(
    scripted_ears: Ears, recognizer: ScriptedRecognizer
) -> None:
    """The pool has room for two: more turns than that never wait in it at a time."""
    call = EarsCall(server_vad(500, candidate_pause_ms=200)).start(scripted_ears.handle)
    call.say(TWO_MINUTES, 16_000)
    await call.finish()
    finals = call.transcripts()
    assert [final.utterance for final in finals] == list(range(1, TURNS + 1))
    assert not any(final.error.code for final in finals)
    assert all(final.text for final in finals)
    assert call.transcripts(Transcript.KIND_CANDIDATE) == []  # what follows was there already
    assert len(recognizer.batches) <= TURNS


async def test_a_leg_that_waits_for_words_says_that_it_is_alive(
    scripted_ears: Ears, recognizer: ScriptedRecognizer
) -> None:
    recognizer.before = lambda: time.sleep(0.4)
    call = EarsCall(server_vad(500)).start(scripted_ears.handle)
    call.say(TWO_MINUTES[: 12 * len(ONE_TURN)], 16_000)
    await call.until(lambda: len(call.transcripts()) >= 4)
    told = [(at.audio_us, at.next_seq) for at in call.progress]
    assert len(told) > len(set(told))  # it stood still for longer than it is silent
    assert told[-1][0] < 20_000_000  # and had not heard all
    await call.cancel()


async def test_a_leg_that_waits_for_words_is_handed_back_when_the_worker_leaves(
    scripted_ears: Ears, recognizer: ScriptedRecognizer
) -> None:
    recognizer.before = lambda: time.sleep(0.4)
    call = EarsCall(server_vad(500)).start(scripted_ears.handle)
    call.say(TWO_MINUTES, 16_000)
    await call.until(lambda: len(call.stopped) >= 3)
    call.leave()
    with pytest.raises(HandBack):
        await call.ended(2)


async def test_who_sends_ahead_hears_soon_how_far_the_ears_are(simulated_ears: Ears) -> None:
    call = EarsCall(server_vad(500)).start(simulated_ears.handle)
    call.say(silence(60), 16_000)
    await call.finish()
    assert len(call.progress) >= 10


async def test_others_are_heard_meanwhile_and_the_event_loop_is_free(scripted_ears: Ears) -> None:
    rounds: list[float] = []

    async def watch() -> None:
        while True:
            begun = time.thread_time()  # what the loop's own thread did; the machine may be busy
            await asyncio.sleep(0)
            rounds.append(time.thread_time() - begun)

    burst = EarsCall(server_vad(500), call_id="burst").start(scripted_ears.handle)
    burst.say(TWO_MINUTES, 16_000)
    watching = asyncio.create_task(watch())
    other = EarsCall(server_vad(300), call_id="other").start(scripted_ears.handle)
    other.say(np.concatenate([silence(0.3), voice_like(0.8), silence(0.6)]))
    await other.until(other.transcripts)
    assert len(burst.stopped) < TURNS // 2
    await burst.finish()
    watching.cancel()
    await other.cancel()
    assert float(np.quantile(rounds, 0.999)) < 0.02


@pytest.mark.parametrize("partials", [True, False])
async def test_the_words_of_a_long_commit_come_part_by_part_to_those_who_ask(
    scripted_ears: Ears, partials: bool
) -> None:
    config = manual()
    config.transcription.partials = partials
    call = EarsCall(config).start(scripted_ears.handle)
    call.say(np.tile(np.concatenate([voice_like(15), silence(0.3)]), 5), 16_000)
    call.put(commit=CommitInput(utterance=1))
    await call.finish()
    (final,) = call.transcripts()
    shown = [partial.text for partial in call.transcripts(Transcript.KIND_PARTIAL)]
    assert final.text.count("seconds") == 5
    assert [text.count("seconds") for text in shown] == ([1, 2, 3, 4] if partials else [])
    assert all(final.text.startswith(text) for text in shown)
    assert call.bodies[-2:] == ["transcript", "leg_done"]


async def test_ten_minutes_may_be_committed_at_once(scripted_ears: Ears) -> None:
    call = EarsCall(manual()).start(scripted_ears.handle)
    call.say(np.tile(np.concatenate([voice_like(2.0), silence(3.0)]), 118), 16_000)
    call.put(commit=CommitInput(utterance=1))
    await call.finish()
    assert call.transcripts()[0].audio_start_us == 0
    assert call.transcripts()[0].text.count("seconds") == 118
