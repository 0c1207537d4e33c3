"""How the text and the sound of an answer go together: which words are heard by which moment."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .sentence_marks import is_wide

# How long a voice takes for a character, about; and how long the quickest takes.
LETTER_US, WIDE_US = 65_000, 220_000
QUICK_LETTER_US, QUICK_WIDE_US = 35_000, 110_000


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    text: str
    sent_us: int  # of its sound
    whole: bool  # no more of its sound comes

    def length_us(self) -> int:
        """How long it takes to say: reckoned from the text until all of its sound is there."""
        if self.whole:
            return max(1, self.sent_us)
        return max(1, self.sent_us, sum(_weights(self.text, LETTER_US, WIDE_US)))


@dataclass(frozen=True, slots=True)
class SpokenText:
    """An answer's sentences, with their sound as far as it was sent.

    `ends_us` is where the sound ends: all of it, or less once the answer was cut.
    """

    sentences: tuple[SpokenSentence, ...]
    ends_us: int

    @classmethod
    def reckoned(cls, text: str) -> SpokenText:
        """Of a text whose sound nobody remembers: as the quickest voice would say it, so that what is
        cut off cannot have been heard."""
        length_us = sum(_weights(text, QUICK_LETTER_US, QUICK_WIDE_US))
        return cls((SpokenSentence(text, length_us, whole=True),), length_us)

    def cut(self, heard_us: int) -> SpokenText:
        """The same, heard no further than this. What was cut off before stays so."""
        return replace(self, ends_us=min(self.ends_us, heard_us))

    def heard(self) -> str:
        """The words up to the end of the sound; the last sentence is cut where its sound is."""
        heard, left_us = [], self.ends_us
        for sentence in self.sentences:
            if left_us <= 0:
                break
            if sentence.whole and left_us >= sentence.sent_us:
                heard.append(sentence.text)
            else:
                heard.append(_words_within(sentence.text, left_us / sentence.length_us()))
            left_us -= sentence.sent_us
        return "".join(heard)


def _weights(text: str, letter: int, wide: int) -> list[int]:
    return [wide if is_wide(char) else letter for char in text]


def _words_within(text: str, share: float) -> str:
    """The words at the start of the text that fit into this share of the time it takes."""
    if share >= 1:
        return text
    weights = _weights(text, LETTER_US, WIDE_US)
    left, end = sum(weights) * share, 0
    while end < len(text) and weights[end] <= left:
        left -= weights[end]
        end += 1
    while 0 < end < len(text) and not _word_ends(text[end - 1], text[end]):
        end -= 1
    return text[:end].rstrip()


def _word_ends(before: str, after: str) -> bool:
    return before.isspace() or after.isspace() or is_wide(before) or is_wide(after)
