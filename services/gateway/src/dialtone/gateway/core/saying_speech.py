"""The sound of one of Moshi's utterances, with its words in step: both go out as they come."""

from __future__ import annotations

from .playback import Playback
from .sentence_marks import is_wide
from .spoken_text import SpokenSentence, SpokenText


class SayingSpeech:
    def __init__(self, *, busy_until: float) -> None:
        """`busy_until`: when the client's player is through with what it was sent before."""
        self.playback = Playback(busy_until)
        self.whole = False  # no more of it comes
        # Each word, and how much sound was sent since it came and before the next one did.
        self._words: list[str] = [""]
        self._sounds_us: list[int] = [0]
        self._cut_us: int | None = None  # the client hears no further

    @property
    def stopped(self) -> bool:
        return self._cut_us is not None

    def write(self, text: str) -> None:
        """Words, or pieces of them: a word begins with its space."""
        if text[0].isspace() or is_wide(text[0]):
            self._words.append("")
            self._sounds_us.append(0)
        self._words[-1] += text

    def sound(self, duration_us: int, now: float) -> None:
        """Sound was sent."""
        self._sounds_us[-1] += duration_us
        self.playback.sent(duration_us, now)

    def stop(self, heard_us: int) -> list[str]:
        """Say no more; of what was sent, no more than this is heard. There are no leases to cancel: Moshi
        goes on, and nobody hears it."""
        before = self.playback.sent_us if self._cut_us is None else self._cut_us
        self._cut_us = min(heard_us, before)
        if self._cut_us < self.playback.sent_us:
            self.playback.stop()
        return []

    def spoken(self) -> SpokenText:
        """How words and sound go together, as far as the sound was sent."""
        last = len(self._words) - 1
        words = tuple(
            SpokenSentence(word, sound_us, self.whole or at < last)
            for at, (word, sound_us) in enumerate(zip(self._words, self._sounds_us, strict=True))
        )
        ends_us = self.playback.sent_us if self._cut_us is None else self._cut_us
        return SpokenText(words, ends_us)
