"""What a recogniser is asked and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from dialtone.audio import Pcm16

SAMPLE_RATE = 16_000
_MORE_THAN_A_MOMENT = SAMPLE_RATE
_WITHOUT_SPACES = frozenset({"zh", "ja", "th", "lo", "my", "yue"})


def space_of(language: str) -> str:
    """What stands between two texts of a language, by its ISO 639-1 code."""
    return "" if language.partition("-")[0].lower() in _WITHOUT_SPACES else " "


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of speech to be recognised.

    `samples` is int16 [n] at 16 kHz, at most `MAX_PASSAGE_SECONDS` of it; `language` an ISO 639-1
    code or empty to have it detected; `prompt` text that sets the context (names, spelling);
    `voiced_us` how much of the passage the voice activity detector took for speech, `voice` where that
    was: samples from and to, in order, empty where it is not known.
    """

    samples: Pcm16
    language: str = ""
    prompt: str = ""
    voiced_us: int = 0
    voice: tuple[tuple[int, int], ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    def after(self, seconds: float) -> Passage | None:
        """What is left from there on, if more than a moment of it is voice."""
        at = round(seconds * SAMPLE_RATE)
        voice = tuple((max(first, at) - at, last - at) for first, last in self.voice if last > at)
        voiced = sum(last - first for first, last in voice)
        if voiced < _MORE_THAN_A_MOMENT:
            return None
        return replace(
            self, samples=self.samples[at:], voiced_us=voiced * 1_000_000 // SAMPLE_RATE, voice=voice
        )


@dataclass(frozen=True, slots=True)
class Recognition:
    """The answer; `text` is empty where no speech was recognised. `compute_us`: time in the model.

    `until` is how far into the passage the model listened, in seconds: it may stop before the end, at a
    pause, and has to be asked again about the rest. None: to the end. `partial`: more of the answer
    follows. `backend` is the kind of backend that answered. `turn_over`: it says that the speaker is done,
    having heard nothing since that voice was heard in the passage for the last time.
    """

    text: str
    language: str
    compute_us: int
    until: float | None = None
    partial: bool = False
    backend: str = ""
    turn_over: bool = False


class Recognizer(Protocol):
    """A loaded model: recognises batches of passages, several at once from as many threads."""

    device: str
    """Where it computes: cpu or cuda."""
    languages: frozenset[str]
    """ISO 639-1 codes of those it was trained on."""

    def recognize(self, passages: Sequence[Passage]) -> list[Recognition]: ...


Recognize = Callable[[Sequence[Passage]], Awaitable[list[Recognition]]]
"""Has a batch recognised, wherever the model is. Raises what the model raises, or ModelLost."""

MAX_PASSAGE_SECONDS = 20.0
