"""What of a transcript can be told while it still changes.

A recogniser that hears more says all of it anew, and its last words often differ. Those at the
beginning that it says twice in a row are told, and never taken back (local agreement).
"""

from __future__ import annotations

from .words import is_mark, split_words

_LAST, _FEWEST = 8, 3  # words told last, of which ...
_ALIKE = 0.6  # ... so many show the place in a transcript that says an earlier word otherwise
_SHIFTED = 4  # words: what is farther off is another place with the same words


class AgreedWords:
    """The transcript of one utterance, as far as the client was told."""

    def __init__(self) -> None:
        self.told = ""
        self._before: list[str] | None = None

    def partial(self, text: str) -> str:
        """What is to be told after this transcript of the utterance so far; may be empty.

        Marks at the end wait for a word behind them: recognisers end every partial with a full stop.
        """
        words, before = split_words(text), self._before
        self._before = words
        agreed: list[str] = []
        for word, word_before in zip(words, before or [], strict=False):
            if word != word_before:
                break
            agreed.append(word)
        while agreed and is_mark(agreed[-1]):
            agreed.pop()
        told = self._told_of(agreed)
        if told is None:
            return ""
        delta = "".join(agreed[told:])
        self.told += delta
        return delta

    def rest(self, final: str) -> str:
        """What is left to be told of the final transcript; empty when it contradicts what was told."""
        words = split_words(final)
        told = self._told_of(words)
        return "" if told is None else "".join(words[told:])

    def _told_of(self, words: list[str]) -> int | None:
        """How many of these words were told; None when they contradict that.

        A recogniser that has changed its mind about a word is followed all the same, as long as most of
        the words that were told last are there about where they were: else a long utterance would fall
        silent after its first correction.
        """
        told = split_words(self.told)
        if words[: len(told)] == told:
            return len(told)
        before, said = _spoken(told), _spoken(words)
        last = [bare for _, bare in before[-_LAST:]]
        best, alike = 0, 0
        for end in sorted(range(len(last), len(said) + 1), key=lambda end: abs(end - len(before))):
            if abs(end - len(before)) > _SHIFTED:
                break
            same = sum(a == b for a, (_, b) in zip(last, said[end - len(last) : end], strict=True))
            if same > alike:
                best, alike = end, same
        if len(last) < _FEWEST or alike < len(last) * _ALIKE:
            return None
        return said[best - 1][0] + 1


def _spoken(words: list[str]) -> list[tuple[int, str]]:
    """The words but for marks, as they are compared, and where they stand."""
    return [(at, word.strip().casefold()) for at, word in enumerate(words) if not is_mark(word)]
