"""Whether a piece of speech ends at a mark: the rules, one function a kind of mark.

Each function looks at `text` around `pos` and returns the index to cut at, `NO`, or `MORE` when
what has come so far does not tell. An answer other than `MORE` never changes with more text.
`final` says that there is no more.
"""

from __future__ import annotations

import re
from typing import Final

from .sentence_marks import (
    BREATHS,
    CLAUSES,
    CLOSERS,
    DASHES,
    DOTS,
    ELLIPSIS,
    END_RUN,
    EXCLAMATIONS,
    LEADING,
    LONGEST_STARTER,
    NUMBERED,
    OPENERS,
    PAIRS,
    STARTERS,
    TOGGLES,
    TRAILING,
    WIDE_CLAUSES,
    WIDE_ENDS,
    WIDE_SEMICOLON,
    is_wide,
)

NO: Final = -1
MORE: Final = -2

MAX_NESTING = 8
# White space is looked through this far for the next word; beyond it the mark ends the sentence.
MAX_SPACES = 8

# "1.", "(a).", "Steps: 2." announce what follows.
_LIST_MARK = re.compile(r"(?:^|[:;]\s|[：；])[\s*_>#(\-]*(?:\d{1,3}|[A-Za-z])$")
_WORD = re.compile(r"[A-Za-z][A-Za-z.]*$")
_ACRONYM = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]$|[A-HJ-Z]$")
_ENTITY = re.compile(r"&#?\w{1,10}$")
_LONGEST_WORD = 24


class OpenMarks:
    """Quotes, brackets and emphasis that were opened and not yet closed."""

    __slots__ = ("_closers", "_previous")

    def __init__(self, closers: list[str] | None = None, previous: str = " ") -> None:
        self._closers = closers or []
        self._previous = previous

    def __bool__(self) -> bool:
        return bool(self._closers)

    def copy(self) -> OpenMarks:
        return OpenMarks(self._closers.copy(), self._previous)

    def take(self, char: str) -> None:
        """Account for the next character of the text."""
        closers, previous, self._previous = self._closers, self._previous, char
        if char == "\n":
            closers.clear()  # a stray quote must not outlive its line
        elif char.isspace():
            if closers and closers[-1] == previous and previous in TOGGLES:
                closers.pop()  # a bullet or an operator, not emphasis
        elif char in TOGGLES:
            if char == previous:
                return  # "**" is one mark
            if char in closers:
                self._close(char)
            elif not previous.isalnum():
                self._open(char)
        elif char in PAIRS:
            self._open(PAIRS[char])
        elif char in closers:
            self._close(char)

    def _open(self, closer: str) -> None:
        if len(self._closers) < MAX_NESTING:
            self._closers.append(closer)

    def _close(self, closer: str) -> None:
        while self._closers.pop() != closer:
            pass


def sentence_end(text: str, pos: int, opened: OpenMarks, final: bool) -> int:
    """Where the sentence ends whose mark is at `pos`; `opened` is the state before that mark."""
    char = text[pos]
    if char in WIDE_ENDS:
        end = _past_closers(text, pos + 1, opened, final, at_once=True)
        goes_on = pos + 1 < end < len(text) and text[end] in BREATHS
        return NO if goes_on else end
    if char in EXCLAMATIONS:
        if not opened and _ends_plain_word(text, pos):
            return pos + 1
        return _after_run(text, pos, opened, final)
    if char == ELLIPSIS or char in DOTS:
        if pos and text[pos - 1] in END_RUN:
            return NO  # the first mark of the run has told
        return _after_run(text, pos, opened, final)
    return NO


def semicolon_end(text: str, pos: int, opened: OpenMarks, final: bool) -> int:
    if text[pos] == WIDE_SEMICOLON:
        return _past_closers(text, pos + 1, opened, final, at_once=True)
    if text[pos] != ";" or _ENTITY.search(text, max(0, pos - 12), pos):
        return NO
    return _before_space(text, pos + 1, final)


def clause_end(text: str, pos: int, opened: OpenMarks, final: bool) -> int:
    """Where the clause ends whose mark is at `pos`: between words, never inside a number."""
    char = text[pos]
    if char in DASHES:
        return _after_dash(text, pos, final)
    after_digit = pos > 0 and text[pos - 1].isdigit()
    if char in WIDE_CLAUSES:
        if not after_digit:
            return _past_closers(text, pos + 1, opened, final, at_once=True)
        if pos + 1 == len(text):
            return pos + 1 if final else MORE
        return NO if text[pos + 1].isdigit() else pos + 1
    if char not in CLAUSES:
        return NO
    if char == "," and not opened and _ends_plain_word(text, pos):
        return pos + 1
    end = _past_closers(text, pos + 1, opened, final, at_once=False)
    return end if end == MORE else _before_space(text, end, final)


def _after_dash(text: str, pos: int, final: bool) -> int:
    if pos == 0 or text[pos - 1] in DASHES:
        return NO
    end = pos + 1
    while end < len(text) and text[end] in DASHES:
        end += 1
    if end == len(text):
        return end if final else MORE
    spaced = text[pos - 1].isspace() and text[end].isspace()
    if text[pos] == "–":  # between numbers it means "to"
        return end if spaced else NO
    return NO if text[pos - 1].isdigit() and text[end].isdigit() else end


def _before_space(text: str, end: int, final: bool) -> int:
    if end == len(text):
        return end if final else MORE
    return end if text[end].isspace() or (is_wide(text[end]) and not text[end].isdigit()) else NO


def _past_closers(text: str, end: int, opened: OpenMarks, final: bool, *, at_once: bool) -> int:
    """The index after the marks and closing quotes from `end` on; MORE when they may go on.

    With `at_once` nothing is looked for unless something is open.
    """
    if at_once and not opened:
        return end
    while end < len(text):
        if text[end] not in CLOSERS and text[end] not in END_RUN:
            return end
        end += 1
    return end if final else MORE


def _after_run(text: str, pos: int, opened: OpenMarks, final: bool) -> int:
    """Decide a full stop, an ellipsis, or a mark after something other than a plain word."""
    end = _past_closers(text, pos + 1, opened, final, at_once=False)
    if end == MORE:
        return MORE
    run = text[pos:end]
    stop = text[pos] in DOTS and run.strip("".join(CLOSERS)) == text[pos]
    if end == len(text):
        return end
    after = text[end]
    if after.isdigit() or not (after.isspace() or is_wide(after) or after in OPENERS or after in DASHES):
        return NO
    if stop:
        if _LIST_MARK.search(text, max(0, pos - 40), pos):
            return NO
        word = _WORD.search(text, max(0, pos - _LONGEST_WORD), pos)
        verdict = _after_abbreviation(word.group(), text, end, final) if word else None
        if verdict is not None:
            return verdict
    if (stop or text[pos] in EXCLAMATIONS) and all(char in END_RUN for char in run):
        return end
    # After an ellipsis or a closing quote the sentence may go on: (really!) and "Why?" she asked.
    following = _next_visible(text, end, final)
    if following is None:
        return MORE
    return NO if following < len(text) and text[following].islower() else end


def _after_abbreviation(word: str, text: str, end: int, final: bool) -> int | None:
    """Decide a full stop after `word`; None if it is no abbreviation."""
    if word in LEADING:
        return NO
    numbered, trailing = word in NUMBERED, word in TRAILING
    if not (numbered or trailing or _ACRONYM.fullmatch(word)):
        return None
    at = _next_visible(text, end, final)
    if at is None:
        return MORE
    if at == len(text) or text[at] == "\n" or (is_wide(text[at]) and not text[at].isdigit()):
        return end
    following = text[at]
    if numbered:
        return NO if following.isdigit() else end
    if not following.isupper():
        return end if trailing and following in OPENERS | TOGGLES else NO
    return end if trailing else _if_starter(text, at, end, final)


def _if_starter(text: str, at: int, end: int, final: bool) -> int:
    stop = at
    while stop < len(text) and text[stop].isalpha() and not is_wide(text[stop]):
        stop += 1
        if stop - at > LONGEST_STARTER:
            return NO
    if stop == len(text):
        return (end if text[at:] in STARTERS else NO) if final else MORE
    initial = stop - at == 1 and text[stop] in DOTS
    return end if text[at:stop] in STARTERS and not initial else NO


def _next_visible(text: str, start: int, final: bool) -> int | None:
    """Index of the next character that is no space, of a newline, or the end; None for MORE."""
    stop = start + MAX_SPACES
    for at in range(start, min(stop, len(text))):
        if text[at] == "\n" or not text[at].isspace():
            return at
    return len(text) if final or len(text) >= stop else None


def _ends_plain_word(text: str, pos: int) -> bool:
    """Whether a word of letters, or a wide character, stands before `pos`.

    Then a mark there is no part of a number, a name, a path or an address.
    """
    at = pos - 1
    if at < 0 or text[at].isspace():
        return False
    while at >= 0:
        char = text[at]
        if char.isspace() or is_wide(char) or char in OPENERS or char in TOGGLES:
            return True
        if not (char.isalpha() or char in "'’-"):
            return False
        at -= 1
    return True
