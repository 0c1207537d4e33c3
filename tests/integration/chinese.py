"""Chinese as it was said, and as the default recogniser heard it."""

from __future__ import annotations

import re
from functools import cache

import jiwer
import numpy as np
import pytest
from pypinyin import lazy_pinyin

from dialtone.audio import Pcm16, pcm16_from_bytes
from dialtone.local.call.recording import Recording
from dialtone.models import ModelMissing, locate
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, Passage
from dialtone.vad_asr.asr.whisper import ShortWindowWhisper

_HAN = re.compile(r"[\u4e00-\u9fff]")


def is_chinese(text: str) -> bool:
    """Whether there is more Chinese in it than words in Latin letters."""
    return len(_HAN.findall(text)) > len(re.findall(r"[A-Za-z]+", text))


def heard_in(audio: bytes, rate: int) -> str:
    """The words of Chinese PCM16 at so many Hz, 20 s at most; skips the test without the model."""
    samples: Pcm16 = Recording(pcm16_from_bytes(audio), rate).at_rate(SAMPLE_RATE).samples
    samples = np.pad(samples, SAMPLE_RATE // 4)
    passage = Passage(samples, "zh", voiced_us=len(samples) * 1_000_000 // SAMPLE_RATE)
    return _whisper().recognize([passage])[0].text


def sound_error_rate(said: str, heard: str) -> float:
    """How much of what was said was heard otherwise, by letters of pinyin without tones.

    Characters of one sound are many, and a recogniser chooses what makes sense to it; this is about sound.
    """
    said, heard = (" ".join(lazy_pinyin("".join(_HAN.findall(text)))) for text in (said, heard))
    return float(jiwer.cer(said, heard))


@cache
def _whisper() -> ShortWindowWhisper:
    try:
        return ShortWindowWhisper(locate("whisper-base"), languages=["zh"], device="cpu")
    except ModelMissing as missing:
        pytest.skip(str(missing))
