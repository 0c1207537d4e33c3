"""A recogniser that raises, crashes or hangs costs the words of one turn, and no other call's."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dialtone.bus import HandBack
from dialtone.fence import ModelProcess
from dialtone.v1.ears_pb2 import EarsConfig
from dialtone.vad_asr.asr.fenced import FencedRecognizer
from dialtone.vad_asr.asr.pool import InferencePool, Job, RecognitionFailed, Urgency
from dialtone.vad_asr.asr.recognition import Passage, Recognizer
from dialtone.vad_asr.service import Ears
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.vad.level import LevelGate
from tests.contract.bus.call_side import until
from tests.fixtures.speech import Samples, silence, voice_like
from tests.vad_asr.ears_call import EarsCall, server_vad
from tests.vad_asr.fragile import load, load_once
from tests.vad_asr.pooled import pooled

TIMEOUT_S = 1.0
BROKE_DOWN = "The recogniser broke down on this."


async def _nothing() -> None:
    return


def asked(journal: Path) -> list[str]:
    """The prompts of each batch that the model was asked about."""
    return journal.read_text().splitlines() if journal.exists() else []


def passage(prompt: str) -> Passage:
    return Passage(np.zeros(1_600, dtype=np.int16), prompt=prompt, voiced_us=1_000_000)


def question() -> Samples:
    return np.concatenate([silence(0.3), voice_like(0.6), silence(0.6)])


def asking(prompt: str, **fields: int) -> EarsConfig:
    """A call whose passages have this prompt."""
    config = server_vad(300, **fields)
    config.transcription.prompt = prompt
    return config


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "asked"


@pytest.fixture
async def model(journal: Path) -> AsyncIterator[ModelProcess[Recognizer]]:
    process: ModelProcess[Recognizer] = ModelProcess("fragile", partial(load, journal))
    await process.start()
    yield process
    await process.close()


def _pool(model: ModelProcess[Recognizer]) -> InferencePool:
    recognize = FencedRecognizer(model, TIMEOUT_S).recognize
    return InferencePool(recognize, workers=1, queue_limit=10, batch_size=4)


@pytest.fixture
async def pool(model: ModelProcess[Recognizer]) -> AsyncIterator[InferencePool]:
    pool = _pool(model)
    pool.start()
    yield pool
    await pool.close()


@pytest.fixture
def ears(pool: InferencePool) -> Ears:
    return Ears(EarsSettings(), LevelGate, lambda: pooled(pool), _nothing)


async def answer(job: Job) -> str:
    try:
        return (await job.answer).text
    except RecognitionFailed as failed:
        return type(failed).__name__


async def test_an_exception_costs_its_batch_and_no_process(
    pool: InferencePool, model: ModelProcess[Recognizer]
) -> None:
    before = model.pid
    assert await answer(pool.submit(passage("raise"), Urgency.FINAL)) == "RecognitionFailed"
    assert await answer(pool.submit(passage("hello"), Urgency.FINAL)) == "hello"
    assert model.pid == before


@pytest.mark.parametrize("fault", ["crash", pytest.param("hang", marks=pytest.mark.chaos)])
async def test_what_the_model_is_lost_with_costs_nobody_else_their_words(
    pool: InferencePool, fault: str
) -> None:
    first = pool.submit(passage("first"), Urgency.FINAL)
    jobs = [pool.submit(passage(prompt), Urgency.FINAL) for prompt in ("one", fault, "two")]
    assert await answer(first) == "first"
    assert [await answer(job) for job in jobs] == ["one", "RecognitionLost", "two"]
    assert await answer(pool.submit(passage("after"), Urgency.FINAL)) == "after"


async def test_a_turn_that_crashes_the_model_ends_without_words_and_is_asked_about_no_more(
    ears: Ears, journal: Path
) -> None:
    lost = EarsCall(asking("crash"), call_id="lost").start(ears.handle)
    beside = EarsCall(asking("beside"), call_id="beside").start(ears.handle)
    lost.say(question())
    await lost.until(lambda: lost.started)
    beside.say(question())
    beside.say(question())
    await beside.until(lambda: len(beside.transcripts()) == 2)
    assert [final.text for final in beside.transcripts()] == ["beside", "beside"]
    await lost.until(lost.transcripts)
    lost.put(config=asking("again"))
    lost.say(question())
    await lost.finish()
    await beside.cancel()
    assert lost.bodies == ["speech_started", "speech_stopped", "transcript"] * 2 + ["leg_done"]
    first, second = lost.transcripts()
    assert (first.text, first.error.code, first.error.message) == ("", "recognition_failed", BROKE_DOWN)
    assert second.text == "again"
    # Twice, since once may be chance; before that perhaps in a batch, which is not to blame.
    assert [line for line in asked(journal) if line == "crash"] == ["crash"] * 2


@pytest.mark.chaos
async def test_after_a_guess_that_crashed_the_model_no_more_is_asked_about_its_turn(
    ears: Ears, pool: InferencePool, journal: Path
) -> None:
    call = EarsCall(asking("crash", candidate_pause_ms=100)).start(ears.handle)
    call.say(np.concatenate([silence(0.3), voice_like(0.6), silence(0.2)]))
    await until(lambda: asked(journal) == ["crash", "crash"] and pool.idle, "the guess", timeout=30)
    call.say(np.concatenate([voice_like(0.6), silence(0.5)]))
    await call.finish()
    (final,) = call.transcripts()
    assert final.error.code == "recognition_failed"
    assert asked(journal) == ["crash", "crash"]


async def test_a_leg_whose_model_is_given_up_is_handed_to_ears_that_have_one(tmp_path: Path) -> None:
    model: ModelProcess[Recognizer] = ModelProcess("broken", partial(load_once, tmp_path / "loaded"))
    await model.start()
    pool = _pool(model)
    pool.start()
    try:
        ears = Ears(EarsSettings(), LevelGate, lambda: pooled(pool), _nothing)
        call = EarsCall(asking("hello")).start(ears.handle)
        call.say(question())
        with pytest.raises(HandBack, match="no memory left"):
            await call.ended(20)
        assert call.transcripts() == []  # the next ears find its words
    finally:
        await pool.close()
        await model.close()
