"""Recognition ahead of the endpoint: one inference for both texts, void when the speaker goes on."""

import threading
from itertools import pairwise

import numpy as np

from dialtone.v1.ears_pb2 import EarsConfig, Transcript
from dialtone.vad_asr.asr.pool import InferencePool, Urgency
from dialtone.vad_asr.service import Ears
from tests.contract.bus.call_side import until
from tests.fixtures.speech import silence, voice_like
from tests.vad_asr.conftest import ScriptedRecognizer
from tests.vad_asr.ears_call import EarsCall, server_vad
from tests.vad_asr.test_pool import passage

SPOKEN = np.concatenate([silence(0.5), voice_like(1.0)])


def with_partials(config: EarsConfig) -> EarsConfig:
    config.transcription.partials = True
    return config


async def test_the_candidate_is_the_final(scripted_ears: Ears, recognizer: ScriptedRecognizer) -> None:
    call = EarsCall(server_vad(800, candidate_pause_ms=200)).start(scripted_ears.handle)
    call.say(np.concatenate([SPOKEN, silence(0.4)]))
    await call.until(lambda: call.transcripts(Transcript.KIND_CANDIDATE))
    assert call.bodies == ["speech_started", "transcript"]
    call.say(silence(0.6))
    await call.until(call.transcripts)
    (candidate,), (final,) = call.transcripts(Transcript.KIND_CANDIDATE), call.transcripts()
    assert final.text == candidate.text != ""
    assert len(recognizer.batches) == 1
    assert call.when("transcript", 1) - call.when("speech_stopped") < 0.05
    assert final.wait_us < candidate.wait_us + 50_000
    await call.cancel()


async def test_nothing_is_announced_where_no_candidate_is_asked_for(
    scripted_ears: Ears, recognizer: ScriptedRecognizer
) -> None:
    call = EarsCall(server_vad(800)).start(scripted_ears.handle)
    call.say(np.concatenate([SPOKEN, silence(1.0)]))
    await call.finish()
    assert call.transcripts(Transcript.KIND_CANDIDATE) == []
    assert len(recognizer.batches) == 1
    assert call.transcripts()[0].text


async def test_a_speaker_who_goes_on_makes_the_guess_void(
    scripted_ears: Ears, recognizer: ScriptedRecognizer
) -> None:
    call = EarsCall(server_vad(800, candidate_pause_ms=200)).start(scripted_ears.handle)
    call.say(np.concatenate([SPOKEN, silence(0.4)]))
    await call.until(lambda: call.transcripts(Transcript.KIND_CANDIDATE))
    call.say(np.concatenate([voice_like(1.0), silence(1.0)]))
    await call.finish()
    assert len(call.started) == 1
    (final,) = call.transcripts()
    assert float(final.text.split()[0]) > 2.4
    assert len(recognizer.batches) == 2


async def test_the_pause_asked_for_grows_with_every_one_that_was_none(
    scripted_ears: Ears, recognizer: ScriptedRecognizer
) -> None:
    call = EarsCall(server_vad(1500, candidate_pause_ms=200)).start(scripted_ears.handle)
    halting = np.concatenate([np.concatenate([voice_like(0.4), silence(0.35)]) for _ in range(8)])
    for at in range(0, len(halting), 1600):
        call.say(halting[at : at + 1600])
        await call.lease_idle()
    call.say(silence(2))
    await call.finish()
    # 200 and 300 ms pass within the pauses of 350 ms, 450 ms does not: two tries and the last one.
    assert len(call.transcripts()) == 1
    assert len(recognizer.batches) <= 3


async def test_a_guess_given_up_for_others_is_asked_again(
    scripted_ears: Ears, pool: InferencePool, recognizer: ScriptedRecognizer
) -> None:
    entered, release = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        release.wait(10)

    recognizer.before = hold
    call = EarsCall(server_vad(800)).start(scripted_ears.handle)
    busy = pool.submit(passage(1), Urgency.FINAL)
    call.say(np.concatenate([SPOKEN, silence(0.5)]))
    await call.until(lambda: call.started)
    while pool.waiting == 0 or not entered.is_set():
        await call.lease_idle()
    others = [pool.submit(passage(1), Urgency.FINAL) for _ in range(2)]  # the queue holds two
    call.say(silence(0.5))
    await call.until(lambda: call.stopped)
    release.set()
    await call.until(call.transcripts)
    final = call.transcripts()[0]
    # Two finals filled the queue at the endpoint, too: refused then, and said so.
    assert final.error.code in ("", "overloaded")
    assert bool(final.text) != bool(final.error.code)
    for job in (busy, *others):
        await job.answer
    call.say(np.concatenate([SPOKEN, silence(1.0)]))
    await call.until(lambda: len(call.transcripts()) == 2)
    assert call.transcripts()[1].text  # the leg went on
    await call.cancel()


async def test_a_recogniser_that_breaks_costs_one_turn(
    scripted_ears: Ears, recognizer: ScriptedRecognizer
) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    recognizer.before = fail
    call = EarsCall(server_vad(300)).start(scripted_ears.handle)
    call.say(np.concatenate([SPOKEN, silence(0.6)]))
    await call.until(call.transcripts)
    assert call.transcripts()[0].error.code == "recognition_failed"
    recognizer.before = lambda: None
    call.say(np.concatenate([SPOKEN, silence(0.6)]))
    await call.finish()
    assert call.transcripts()[1].text


async def test_partials_come_now_and_then_while_somebody_speaks(
    scripted_ears: Ears, pool: InferencePool
) -> None:
    call = EarsCall(with_partials(server_vad(500))).start(scripted_ears.handle)
    spoken = np.concatenate([voice_like(4.0), silence(1.0)])
    for at in range(0, len(spoken), 3200):
        call.say(spoken[at : at + 3200])
        await call.lease_idle()
        await until(lambda: pool.idle, "an idle pool")
        await call.lease_idle()
    await call.finish()
    partials = call.transcripts(Transcript.KIND_PARTIAL)
    assert 3 <= len(partials) <= 5  # every 0.8 s of 4 s
    ends = [partial.audio_end_us for partial in partials]
    assert all(later - earlier >= 800_000 for earlier, later in pairwise(ends))
    assert call.bodies[-2:] == ["transcript", "leg_done"]


async def test_partials_stay_away_while_the_pool_is_busy(
    scripted_ears: Ears, pool: InferencePool, recognizer: ScriptedRecognizer
) -> None:
    release = threading.Event()

    def hold() -> None:
        release.wait(10)

    recognizer.before = hold
    busy = pool.submit(passage(1), Urgency.FINAL)
    call = EarsCall(with_partials(server_vad(500))).start(scripted_ears.handle)
    call.say(voice_like(3.0))
    await call.until(lambda: call.progress)
    assert pool.waiting == 0
    release.set()
    await busy.answer
    await call.cancel()
