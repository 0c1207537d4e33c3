"""The local model takes languages by their other names, too."""

from __future__ import annotations

import numpy as np
import pytest

from dialtone.vad_asr.asr.backend import Question
from dialtone.vad_asr.asr.backends.whisper import WhisperBackend
from dialtone.vad_asr.asr.pool import InferencePool, Urgency
from dialtone.vad_asr.asr.recognition import Passage
from dialtone.vendors.failures import UpstreamFailure

_KNOWN = frozenset({"de", "en", "he", "jw", "no", "yue", "zh"})
_OTHER_NAMES = "nb nb-NO no jv jw cmn cmn-Hans-CN zho chi yue eng ger deu iw en_US EN-us zh_TW"


async def _heard(pool: InferencePool, language: str) -> int:
    passage = Passage(np.zeros(16_000, dtype=np.int16), language, voiced_us=1_000_000)
    question = Question(passage, Urgency.FINAL)
    return len([heard async for heard in WhisperBackend(pool, _KNOWN).hear(question)])


@pytest.mark.parametrize("language", ["", *_OTHER_NAMES.split()])
async def test_a_language_may_be_called_by_its_other_names(pool: InferencePool, language: str) -> None:
    assert await _heard(pool, language) == 1


@pytest.mark.parametrize("language", ["xx", "tlh", "fr-FR", "xx_EN"])
async def test_one_that_the_model_does_not_know_is_refused(pool: InferencePool, language: str) -> None:
    with pytest.raises(UpstreamFailure) as refused:
        await _heard(pool, language)
    assert refused.value.code == "unsupported_language"
