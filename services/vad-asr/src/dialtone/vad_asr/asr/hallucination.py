"""Whisper's inventions on sound that is no speech, and how they are told from what was said.

The thresholds are for short windows, where the model is surer of itself on noise than on the padded
30 s: on the test recordings speech never comes with a mean log probability below -1.0, and noise
comes below -1.5 or with a no-speech probability above 0.6.
"""

from __future__ import annotations

from dataclasses import dataclass

from dialtone.vad_asr.asr.decoding import LOOPING_COMPRESSION, compression_ratio

MIN_VOICED_US = 90_000  # less voice than this is no word: the model is not even asked

_UNSURE_LOGPROB = -1.4
_NO_SPEECH_PROB = 0.55
_NO_SPEECH_LOGPROB = -0.7
_DOUBTFUL_NO_SPEECH_PROB = 0.3
_SHORT_VOICED_US = 350_000

# What the subtitles that Whisper learnt from say while nobody speaks.
_JUNK = frozenset(
    {
        "you",
        "the",
        "so",
        "bye",
        "music",
        "thank you",
        "thanks for watching",
        "thank you for watching",
        "please subscribe",
        "subtitles by the amara org community",
        "字幕by索兰娅",
        "谢谢观看",
        "谢谢大家",
        "请不吝点赞订阅转发打赏支持明镜与点点栏目",
        "以下是普通话的句子",
    }
)


@dataclass(frozen=True, slots=True)
class Confidence:
    """What the model says about its own answer: probabilities of the window as a whole."""

    no_speech_prob: float
    mean_logprob: float


def is_invented(text: str, confidence: Confidence, voiced_us: int) -> bool:
    """Whether the text has no speech behind it."""
    if confidence.mean_logprob < _UNSURE_LOGPROB:
        return True
    if confidence.no_speech_prob > _NO_SPEECH_PROB and confidence.mean_logprob < _NO_SPEECH_LOGPROB:
        return True
    if compression_ratio(text) > LOOPING_COMPRESSION:
        return True
    doubtful = confidence.no_speech_prob > _DOUBTFUL_NO_SPEECH_PROB or voiced_us < _SHORT_VOICED_US
    return doubtful and _words(text) in _JUNK


def _words(text: str) -> str:
    return " ".join("".join(char if char.isalnum() else " " for char in text.lower()).split())
