"""What it takes to interrupt an answer: how much speech, and how many words."""

from __future__ import annotations

from dataclasses import dataclass

from .context import Limits
from .session import SessionConfig


@dataclass(frozen=True, slots=True)
class Threshold:
    """Speech over an answer that stays below is a backchannel ("uh-huh"): no reason to stop.

    0 asks for nothing; with neither, speech interrupts as soon as it is heard.
    """

    speech_ms: int = 0
    words: int = 0

    @classmethod
    def of(cls, config: SessionConfig, limits: Limits) -> Threshold:
        """That of a session; the limits' where it does not say."""
        if not config.interrupts:
            return cls()
        extra = config.dialtone
        speech_ms, words = extra.interrupt_min_speech_ms, extra.interrupt_min_words
        return cls(
            (limits.interrupt_min_speech_ms if speech_ms is None else speech_ms) or 0,
            (limits.interrupt_min_words if words is None else words) or 0,
        )

    def reached(self, *, sustained: bool, words: int) -> bool:
        """By an utterance with so many words; `sustained`: it has been speech for `speech_ms`."""
        return (sustained or not self.speech_ms) and words >= self.words
