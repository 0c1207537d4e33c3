"""The words of a transcript, in scripts with spaces between them and in those without."""

from __future__ import annotations

import re
import unicodedata

from .sentence_marks import is_wide

_SPACED = re.compile(r"\s*\S+")
# Chinese and Japanese words have one character or two, about as often as not.
_CHARACTERS_PER_WORD = 2


def split_words(text: str) -> list[str]:
    """The pieces of a text, each with the spaces before it: a word, or the marks behind one; in scripts
    without spaces a character. Together they are the text, but for spaces at its end."""
    return [piece for match in _SPACED.finditer(text) for piece in _pieces(match.group())]


def count_words(text: str) -> int:
    """How many words a text has; of a script without spaces two characters count as one."""
    words = [word for word in split_words(text) if any(map(str.isalnum, word))]
    characters = sum(len(word.strip()) == 1 and _is_unspaced(word.strip()) for word in words)
    return len(words) - characters + -(-characters // _CHARACTERS_PER_WORD)


def is_mark(piece: str) -> bool:
    """Whether a piece is punctuation alone."""
    return all(unicodedata.category(char)[0] == "P" for char in piece.strip())


def _is_unspaced(char: str) -> bool:
    return is_wide(char) and not 0xAC00 <= ord(char) <= 0xD7AF  # Hangul has spaces


def _pieces(run: str) -> list[str]:
    """Of a run without spaces inside: characters of their own, and words with the marks cut off."""
    pieces: list[str] = []
    start = len(run) - len(run.lstrip())
    word_from = 0
    for at in range(start, len(run)):
        if _is_unspaced(run[at]):
            pieces += _without_marks(run[word_from:at]) if at > max(word_from, start) else []
            pieces.append(run[0 if at == start else at : at + 1])
            word_from = at + 1
    return pieces + _without_marks(run[word_from:])


def _without_marks(word: str) -> list[str]:
    """A word, and the marks behind it as a piece of their own."""
    end = len(word)
    while end and is_mark(word[end - 1]):
        end -= 1
    return [piece for piece in (word[:end], word[end:]) if piece]
