"""Cuts text that is still being written into pieces worth speaking.

Theory of operation. The text of the piece being gathered is looked at one character at a time. At
each the rules say "cut here", "no cut", or "more text is needed to tell"; in the last case the
splitter stays there until more comes. What they say depends on the text alone and never on how it
was chunked, so any chunking of a text gives the same pieces, and the pieces joined are the text.

What is decided when:

- A full-width mark decides at once, and so do `?`, `!` and the first piece's `,` after a plain word.
  Only while a quote, a bracket or emphasis is open do they wait for what may close it. So a second
  mark in a row ("?!") leads the next piece: a token of latency is worth more than its place.
- A full stop needs the next character: `3.14`, `example.com` and `U.S.` go on. At the end of a delta
  it waits, one token as a rule. An abbreviation needs the first letter after it, an initial or an
  acronym the word after it.
- A newline ends a piece. White space between pieces leads the next one.
- The first piece may end at a clause (comma, colon, dash) if it is long enough to be worth speaking,
  so that the voice can start early; later ones end with their sentence, or at a semicolon.
- A run without any end is cut at its last clause, else its last space, else between wide characters.

A piece without a letter or a digit is never made: it leads the next one. So only the last piece, by
`flush`, can hold nothing speakable; `is_speakable` tells.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from .sentence_ends import MORE, NO, OpenMarks, clause_end, semicolon_end, sentence_end
from .sentence_marks import BREATHS, CLOSERS, END_RUN, OPENERS, is_speakable, is_wide

__all__ = ["Limits", "SentenceSplitter", "is_speakable"]


_STRIDE = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Lengths of pieces; in a mixed text each script counts by its own measure."""

    # A clause shorter than this is not worth a voice's start.
    clause_letters: int = 8
    clause_wide: int = 4
    # A piece longer than this is cut.
    piece_letters: int = 200
    piece_wide: int = 60


class SentenceSplitter:
    """Splits one answer. `feed` its text as it comes, `flush` when it is complete."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._text = ""
        self._first = True
        self._opened = OpenMarks()  # at the start of the piece
        self._scan = _Scan(self._opened)

    def feed(self, delta: str) -> list[str]:
        """Take more text; return the pieces that it completed, in order."""
        pieces: list[str] = []
        for start in range(0, len(delta), _STRIDE):  # a cut copies what is left: keep that short
            self._text += delta[start : start + _STRIDE]
            pieces += self._pieces(final=False)
        return pieces

    def flush(self) -> list[str]:
        """The text is complete: return what is left of it. The splitter is then as new."""
        pieces = self._pieces(final=True)
        tail, self._text = self._text, ""
        if tail and pieces and not is_speakable(tail):
            pieces[-1] += tail
        elif tail:
            pieces.append(tail)
        self._first = True
        self._opened = OpenMarks()
        self._scan = _Scan(self._opened)
        return pieces

    def _pieces(self, *, final: bool) -> list[str]:
        pieces: list[str] = []
        while self._scan.pos < len(self._text):
            cut = self._examine(final)
            if cut == MORE:
                break
            if cut == NO:
                self._scan.step(self._text)
            else:
                pieces.append(self._take(cut))
        return pieces

    def _take(self, cut: int) -> str:
        piece, self._text = self._text[:cut], self._text[cut:]
        for char in piece:
            self._opened.take(char)
        self._first = False
        self._scan = _Scan(self._opened)
        return piece

    def _examine(self, final: bool) -> int:
        """What the character at the scan's place means for the piece."""
        text, scan = self._text, self._scan
        if not scan.speakable:
            return NO
        if text[scan.pos] in "\r\n":
            return scan.pos
        if scan.exceeds(self._limits):
            cut = scan.long_cut(text, self._limits)
            if cut != NO:
                return cut
        end = sentence_end(text, scan.pos, scan.opened, final)
        if end == NO and scan.worth_speaking(self._limits):
            end = semicolon_end(text, scan.pos, scan.opened, final)
            if end == NO and self._first:
                end = clause_end(text, scan.pos, scan.opened, final)
        return end


class _Scan:
    """What is known of a piece up to the character at `pos`, which is not yet accounted for."""

    __slots__ = (
        "_breath",
        "_breath_size",
        "_letters",
        "_soft",
        "_spoken",
        "_wide",
        "opened",
        "pos",
        "speakable",
    )

    def __init__(self, opened: OpenMarks) -> None:
        self.pos = 0
        self.opened = opened.copy()
        self.speakable = False
        # Characters since the first speakable one, and how many of each kind can be heard.
        self._letters = 0
        self._wide = 0
        self._spoken = (0, 0)
        # The last places to cut a long run: after a clause, and at a space or between wide characters.
        self._breath = NO
        self._breath_size = (0, 0)
        self._soft = NO

    def step(self, text: str) -> None:
        """Account for the character at `pos` and go on."""
        char = text[self.pos]
        self.opened.take(char)
        if self.speakable:
            self._note_place(text, char)
        heard, wide = char.isalnum(), is_wide(char)
        self.speakable = self.speakable or heard
        if self.speakable:
            self._letters += not wide
            self._wide += wide
        if heard:
            letters, wides = self._spoken
            self._spoken = (letters + (not wide), wides + wide)
        self.pos += 1

    def _note_place(self, text: str, char: str) -> None:
        previous = text[self.pos - 1]
        if previous in BREATHS and (char.isspace() or is_wide(char) or is_wide(previous)):
            self._breath = self.pos
            self._breath_size = (self._letters, self._wide)
        joins = char in CLOSERS or char in END_RUN or char in BREATHS or previous in OPENERS
        if char.isspace() or ((is_wide(char) or is_wide(previous)) and not joins):
            self._soft = self.pos

    def worth_speaking(self, limits: Limits) -> bool:
        letters, wide = self._spoken
        return letters * limits.clause_wide + wide * limits.clause_letters >= (
            limits.clause_letters * limits.clause_wide
        )

    def exceeds(self, limits: Limits) -> bool:
        return _size(self._letters, self._wide, limits) > 1

    def long_cut(self, text: str, limits: Limits) -> int:
        """Where to cut a run that is too long; NO if it should go on to a better place."""
        if self._breath != NO and _size(*self._breath_size, limits) > 1 / 3:
            return self._breath
        if self._soft != NO:
            return self._soft
        char = text[self.pos]
        joins = unicodedata.combining(char) or char in "\u200d\ufe0f" or char in CLOSERS
        # One word of twice the length: an encoded blob, or letters without spaces.
        return self.pos if _size(self._letters, self._wide, limits) > 2 and not joins else NO


def _size(letters: int, wide: int, limits: Limits) -> float:
    """A piece's length, 1 being the limit."""
    return letters / limits.piece_letters + wide / limits.piece_wide
