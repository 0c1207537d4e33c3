"""Whisper's inventions on sound that is no speech, and how they are told from what was said.

The thresholds are for short windows and two beams. On the test recordings speech comes with a mean log
probability above -0.92 (a lone word cut out of a sentence: above -1.25); most noises come below that, the
others with a no-speech probability above 0.6 as well, or with more text than there was voice for.
No-speech alone says little: clean short speech ("what is the weather?") reaches 0.6, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from dialtone.vad_asr.asr.decoding import LETTERS_PER_SECOND, LOOPING_COMPRESSION, compression_ratio

MIN_VOICED_US = 90_000  # less voice than this is no word: the model is not even asked

_UNSURE_LOGPROB = -1.25
_NO_SPEECH_PROB = 0.6
_NO_SPEECH_LOGPROB = -1.0
_LITTLE_VOICE_US = 350_000
_LITTLE_VOICE_LOGPROB = -0.7
_UNHEARD_VOICE_US = 300_000  # what the detectors may miss of a short word's soft beginning and end
_SILENCE_PROB = 0.8

# What the subtitles that Whisper learnt from say while nobody speaks, and callers do not.
_SUBTITLES = frozenset(
    {
        "music",
        "thanks for watching",
        "thank you for watching",
        "thank you very much for watching",
        "please subscribe",
        "subtitles by the amara org community",
        "字幕by索兰娅",
        "谢谢观看",
        "请不吝点赞订阅转发打赏支持明镜与点点栏目",
        "以下是普通话的句子",
    }
)
# What it says on silence, but callers do, too.
_FILLERS = frozenset({"you", "the", "so", "bye", "thank you", "oh", "ah", "谢谢", "谢谢大家"})


@dataclass(frozen=True, slots=True)
class Confidence:
    """What the model says about its own answer: probabilities of the window as a whole, and whether it
    ran in circles before its text was cut to one round."""

    no_speech_prob: float
    mean_logprob: float
    looped: bool = False


def is_invented(text: str, confidence: Confidence, voiced_us: int) -> bool:
    """Whether the text has no speech behind it."""
    if confidence.mean_logprob < _UNSURE_LOGPROB:
        return True
    if compression_ratio(text) > LOOPING_COMPRESSION:
        return True
    little_voice = voiced_us < _LITTLE_VOICE_US
    letters = sum(char.isalnum() for char in text)
    if little_voice and letters > (voiced_us + _UNHEARD_VOICE_US) * LETTERS_PER_SECOND / 1e6:
        return True
    words = _words(text)
    looped = confidence.looped or _is_one_word_over_and_over(words)
    if looped and confidence.no_speech_prob > (_NO_SPEECH_PROB if little_voice else _SILENCE_PROB):
        return True
    if confidence.no_speech_prob > _NO_SPEECH_PROB:
        least = _LITTLE_VOICE_LOGPROB if little_voice else _NO_SPEECH_LOGPROB
        if confidence.mean_logprob < least:
            return True
    if words in _SUBTITLES:
        return little_voice or confidence.no_speech_prob > _NO_SPEECH_PROB / 2
    return words in _FILLERS and confidence.no_speech_prob > _SILENCE_PROB


def _is_one_word_over_and_over(words: str) -> bool:
    said = words.split()
    return len(said) > 2 and len(set(said)) == 1


def _words(text: str) -> str:
    return " ".join("".join(char if char.isalnum() else " " for char in text.lower()).split())
