"""What of a transcript can be told while it still changes.

A recogniser that hears more says all of it anew, and its last words often differ. Those at the
beginning that it says twice in a row are told, and never taken back (local agreement).
"""

from __future__ import annotations

from .words import is_mark, split_words


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
        prefix = "".join(agreed)
        if len(prefix) <= len(self.told) or not prefix.startswith(self.told):
            return ""
        delta, self.told = prefix[len(self.told) :], prefix
        return delta

    def rest(self, final: str) -> str:
        """What is left to be told of the final transcript; empty when it contradicts what was told."""
        return final[len(self.told) :] if final.startswith(self.told) else ""
