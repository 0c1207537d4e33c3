"""A turn that goes on, and the recognition that was begun ahead of its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from dialtone.vad_asr.asr.recognition import Passage
from dialtone.vad_asr.transcriber import Transcription


@dataclass(slots=True)
class Ask:
    """A transcription that was asked for, and the passages, should they have to be asked about again."""

    transcription: Transcription
    passages: Sequence[Passage]
    asked: float = field(default_factory=time.monotonic)

    def wait_us(self) -> int:
        return round((time.monotonic() - self.asked) * 1e6)


@dataclass(slots=True)
class OpenTurn:
    """An announced turn; `start` is a position in the stream."""

    number: int
    start: int
    guess: Ask | None = None  # begun at the pause that goes on now
    partial: Ask | None = None
    next_partial: int = 0  # position from which the next partial may be asked for

    def drop_guess(self) -> bool:
        """The speaker goes on; says whether there was a guess to drop."""
        guess, self.guess = self.guess, None
        if guess is None:
            return False
        guess.transcription.cancel()
        return True

    def drop_partial(self) -> None:
        partial, self.partial = self.partial, None
        if partial is not None:
            partial.transcription.cancel()
