"""The inference pool: who goes first, what is given up, and that one failure stays one."""

import asyncio
import threading

import numpy as np
import pytest

from dialtone.vad_asr.asr.pool import InferencePool, Job, PoolOverloaded, RecognitionFailed, Urgency
from dialtone.vad_asr.asr.recognition import Passage
from tests.contract.bus.call_side import until
from tests.vad_asr.conftest import ScriptedRecognizer


def passage(seconds: float) -> Passage:
    return Passage(np.zeros(round(seconds * 16_000), dtype=np.int16), voiced_us=1_000_000)


class Held:
    """A recogniser that is in the middle of something until `release`."""

    def __init__(self, recognizer: ScriptedRecognizer) -> None:
        self.recognizer = recognizer
        self.entered = threading.Event()
        self.release = threading.Event()
        recognizer.before = self._wait

    def _wait(self) -> None:
        self.entered.set()
        assert self.release.wait(10)

    async def until_busy(self) -> None:
        assert await asyncio.to_thread(self.entered.wait, 10)

    @property
    def order(self) -> list[float]:
        return [passage.seconds for batch in self.recognizer.batches for passage in batch]


async def answers(*jobs: Job) -> list[str]:
    async with asyncio.timeout(10):
        return [(await job.answer).text for job in jobs]


async def test_finals_go_before_candidates_before_partials(
    pool: InferencePool, recognizer: ScriptedRecognizer
) -> None:
    held = Held(recognizer)
    first = pool.submit(passage(1), Urgency.PARTIAL)
    await held.until_busy()
    candidate = pool.submit(passage(3), Urgency.CANDIDATE)
    final = pool.submit(passage(2), Urgency.FINAL)
    held.release.set()
    await answers(first, candidate, final)
    assert held.order == [1, 2, 3]


async def test_a_guess_that_came_true_moves_up(pool: InferencePool, recognizer: ScriptedRecognizer) -> None:
    held = Held(recognizer)
    first = pool.submit(passage(1), Urgency.FINAL)
    await held.until_busy()
    other = pool.submit(passage(2), Urgency.CANDIDATE)
    guess = pool.submit(passage(3), Urgency.CANDIDATE)
    pool.promote(guess)
    held.release.set()
    await answers(first, other, guess)
    assert held.order == [1, 3, 2]


async def test_a_full_queue_gives_up_what_is_least_urgent(
    pool: InferencePool, recognizer: ScriptedRecognizer
) -> None:
    held = Held(recognizer)
    running = pool.submit(passage(1), Urgency.FINAL)
    await held.until_busy()
    partial = pool.submit(passage(2), Urgency.PARTIAL)
    candidate = pool.submit(passage(3), Urgency.CANDIDATE)
    with pytest.raises(PoolOverloaded):
        pool.submit(passage(4), Urgency.PARTIAL)
    finals = [pool.submit(passage(5), Urgency.FINAL), pool.submit(passage(6), Urgency.FINAL)]
    with pytest.raises(PoolOverloaded):
        pool.submit(passage(7), Urgency.FINAL)
    for given_up in (partial, candidate):
        with pytest.raises(PoolOverloaded):
            await given_up.answer
    held.release.set()
    assert await answers(running, *finals) == ["1.00 seconds", "5.00 seconds", "6.00 seconds"]


async def test_a_cancelled_job_is_not_recognised(pool: InferencePool, recognizer: ScriptedRecognizer) -> None:
    held = Held(recognizer)
    running = pool.submit(passage(1), Urgency.FINAL)
    await held.until_busy()
    pool.cancel(pool.submit(passage(2), Urgency.CANDIDATE))
    last = pool.submit(passage(3), Urgency.PARTIAL)
    held.release.set()
    await answers(running, last)
    assert held.order == [1, 3]


async def test_a_model_that_fails_fails_one_passage(
    pool: InferencePool, recognizer: ScriptedRecognizer
) -> None:
    def fail() -> None:
        raise MemoryError("no room")

    recognizer.before = fail
    with pytest.raises(RecognitionFailed):
        await pool.submit(passage(1), Urgency.FINAL).answer
    recognizer.before = lambda: None
    assert await answers(pool.submit(passage(2), Urgency.FINAL)) == ["2.00 seconds"]


async def test_passages_that_wait_together_make_a_batch(recognizer: ScriptedRecognizer) -> None:
    pool = InferencePool(recognizer.recognize, workers=1, queue_limit=10, batch_size=3)
    pool.start()
    held = Held(recognizer)
    first = pool.submit(passage(1), Urgency.FINAL)
    await held.until_busy()
    # 20 s among short ones would make all of them wait: it has a batch of its own.
    jobs = [pool.submit(passage(seconds), Urgency.FINAL) for seconds in (2, 20, 2.5, 1, 1.5)]
    held.release.set()
    await answers(first, *jobs)
    await pool.close()
    assert [[p.seconds for p in batch] for batch in recognizer.batches] == [[1], [2, 2.5, 1], [20], [1.5]]


async def test_what_waited_too_long_is_refused(recognizer: ScriptedRecognizer) -> None:
    pool = InferencePool(recognizer.recognize, workers=1, queue_limit=10, max_wait_s=60)
    pool.start()
    held = Held(recognizer)
    first = pool.submit(passage(1), Urgency.FINAL)
    await held.until_busy()
    late = pool.submit(passage(2), Urgency.FINAL)
    late.submitted -= 61
    held.release.set()
    await answers(first)
    with pytest.raises(PoolOverloaded):
        await late.answer
    await pool.close()


async def test_it_is_idle_while_the_model_is_free(
    pool: InferencePool, recognizer: ScriptedRecognizer
) -> None:
    assert pool.idle
    held = Held(recognizer)
    job = pool.submit(passage(1), Urgency.FINAL)
    await held.until_busy()
    assert not pool.idle
    held.release.set()
    await answers(job)
    await until(lambda: pool.idle, "an idle pool")
