"""What a recogniser is asked and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dialtone.audio import Pcm16

SAMPLE_RATE = 16_000


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of speech to be recognised.

    `samples` is int16 [n] at 16 kHz, at most `MAX_PASSAGE_SECONDS` of it; `language` an ISO 639-1
    code or empty to have it detected; `prompt` text that sets the context (names, spelling);
    `voiced_us` how much of the passage the voice activity detector took for speech.
    """

    samples: Pcm16
    language: str = ""
    prompt: str = ""
    voiced_us: int = 0

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Recognition:
    """The answer; `text` is empty where no speech was recognised. `compute_us`: time in the model."""

    text: str
    language: str
    compute_us: int


class Recognizer(Protocol):
    """Recognises batches of passages; called from the threads of the inference pool."""

    def recognize(self, passages: Sequence[Passage]) -> list[Recognition]: ...


MAX_PASSAGE_SECONDS = 20.0
