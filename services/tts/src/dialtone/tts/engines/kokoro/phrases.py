"""Cuts a sentence where it pauses, so that its first words are heard while the rest is computed.

Kokoro computes all of what it is given before there is any audio. A phrase is spoken as if it were a
sentence, which is heard least at a comma; so a sentence is cut there, and between words only where there is
no mark for long. The first phrase is short, the next ones at most twice as long as the one before, so that
they are computed while it plays.
"""

from __future__ import annotations

from collections.abc import Iterator

LONGEST = 120
"""Symbols of a phrase: some seconds, and far from the 510 that the model takes."""
_SHORTEST = 8  # below, what a run costs at least is more than what is won
_SECOND = 40
SENTENCE_ENDS = frozenset(".!?…")
CLAUSE_ENDS = frozenset(",;:—") | SENTENCE_ENDS


def phrases(symbols: str) -> Iterator[str]:
    """Yield the phrases of a sentence, in order and without spaces around them; each has something to say."""
    before = 0
    rest = symbols.strip()
    while rest:
        cut = _cut(rest, before)
        phrase, rest = rest[:cut].strip(), rest[cut:].strip()
        if any(symbol.isalpha() for symbol in phrase):
            yield phrase
            before = len(phrase)


def _cut(rest: str, before: int) -> int:
    longest = min(max(2 * before, _SECOND), LONGEST)
    if before and len(rest) <= longest:
        return len(rest)
    ends = [
        at + 1 for at in range(min(len(rest), LONGEST)) if rest[at] in CLAUSE_ENDS and _ends_word(rest, at)
    ]
    ends = [end for end in ends if end >= _SHORTEST]
    if not before and ends:
        return ends[0]
    if fitting := [end for end in ends if end <= longest]:
        return fitting[-1]
    if ends:
        return ends[0]
    if len(rest) <= LONGEST:
        return len(rest)
    return rest.rfind(" ", 1, LONGEST) + 1 or LONGEST


def _ends_word(text: str, at: int) -> bool:
    return at + 1 == len(text) or text[at + 1] == " "
