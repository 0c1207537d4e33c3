"""A turn that goes on, and what was asked about it ahead of its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from dialtone.vad_asr.asr.recognition import Passage, Recognition
from dialtone.vad_asr.transcriber import Transcription, joined


@dataclass(slots=True)
class Ask:
    """A transcription that was asked for, and the passages, should they have to be asked about again.

    `heads` are the parts of a long turn before it, which other asks of the turn have in common with it.
    """

    transcription: Transcription
    passages: Sequence[Passage]
    start: int = 0
    heads: tuple[Ask, ...] = ()
    asked: float = field(default_factory=time.monotonic)

    def wait_us(self) -> int:
        return round((time.monotonic() - self.asked) * 1e6)

    async def result(self) -> Recognition:
        """The text of the heads and of this. Raises as their transcriptions do."""
        return joined([await part.transcription.result() for part in (*self.heads, self)])

    def promote(self) -> None:
        for part in (*self.heads, self):
            part.transcription.promote()


@dataclass(slots=True)
class OpenTurn:
    """An announced turn; `start` is a position in the stream."""

    number: int
    start: int
    guess: Ask | None = None  # begun at the pause that goes on now
    pausing: bool = False  # a pause goes on that no guess was begun at yet
    partial: Ask | None = None
    lost: Ask | None = None  # the model was lost with it: no more is asked about this turn
    next_partial: int = 0  # position from which the next partial may be asked for
    followed_to: int = 0  # how far the recogniser was asked whether it is over
    unfollowed: bool = False  # the recogniser failed at that
    shown: str = ""  # the last partial
    heads: list[Ask] = field(default_factory=list)  # what no later sound changes
    settled: int = field(init=False)  # where these end
    next_head: int = 0  # position from which to look for another

    def __post_init__(self) -> None:
        self.settled = self.start

    @property
    def in_pause(self) -> bool:
        """A pause goes on after which recognition has begun, or is to: what is guessed may be the final."""
        return self.pausing or self.guess is not None

    def drop_guess(self) -> bool:
        """The speaker goes on; says whether there was a guess to drop."""
        self.pausing = False
        guess, self.guess = self.guess, None
        if guess is None:
            return False
        guess.transcription.cancel()
        return True

    def drop_partial(self) -> None:
        partial, self.partial = self.partial, None
        if partial is not None:
            partial.transcription.cancel()

    def drop(self) -> None:
        """Nobody wants to know what was said."""
        self.drop_guess()
        self.drop_partial()
        for head in self.heads:
            head.transcription.cancel()
