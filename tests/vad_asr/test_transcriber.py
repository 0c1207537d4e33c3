"""A model that stops before the end of a passage is asked about the rest of it, within bounds."""

import asyncio

import numpy as np
import pytest

from dialtone.vad_asr.asr.pool import InferencePool, Urgency
from dialtone.vad_asr.asr.recognition import Passage
from tests.vad_asr.conftest import ScriptedRecognizer
from tests.vad_asr.pooled import pooled

LENGTH = 10 * 16_000


@pytest.mark.parametrize(("until", "asked"), [(None, 1), (5.0, 2), (0.02, 9)])
async def test_the_rest_of_a_passage_is_asked_for_a_few_times(
    pool: InferencePool, recognizer: ScriptedRecognizer, until: float | None, asked: int
) -> None:
    recognizer.until = until
    spoken = Passage(np.zeros(LENGTH, dtype=np.int16), voiced_us=10_000_000, voice=((0, LENGTH),))
    async with asyncio.timeout(10):
        answer = await pooled(pool).begin([spoken], Urgency.FINAL).result()
    assert len(recognizer.batches) == asked
    assert answer.text.count("seconds") == asked
