"""Going on from text that the caller has heard already, with backends that cannot continue a prefix.

Such a backend is shown what was said and asked to go on from there. It may still begin anew, or repeat its
last words; what comes out is compared with what was delivered, and the repetition is left out.
"""

import re

INSTRUCTION = (
    "You were cut off in the middle of your last message. Continue it exactly where it stopped: "
    "do not repeat any of it, do not apologise, do not mention the interruption."
)

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\s\w]")
_IDEOGRAPH = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_SENTENCE_END = {".", "!", "?", "\u3002", "\uff01", "\uff1f", "\u2026"}
_SHORTEST = 2  # words (or ideographs): one common word in common is no repetition


def _words(text: str) -> list[tuple[str, int]]:
    """Split into (word or mark in lower case, where it ends); an ideograph is a word."""
    words: list[tuple[str, int]] = []
    for found in _WORD.finditer(text):
        if _IDEOGRAPH.search(found[0]):
            words += [(char, found.start() + i + 1) for i, char in enumerate(found[0])]
        else:
            words.append((found[0].lower(), found.end()))
    return words


class OverlapFilter:
    """Leaves out the beginning of a continuation as far as it repeats `delivered`.

    Text is held back while it agrees, word by word, with some stretch of what was delivered. It is a
    repetition when it agrees up to the end of that; where it departs earlier, the whole sentences it
    repeated are left out.
    """

    def __init__(self, delivered: str) -> None:
        self._delivered = [word for word, _ in _words(delivered)]
        self._glue = delivered[-1:]
        self._held = ""
        self._deciding = bool(self._delivered)

    def feed(self, text: str) -> str:
        if not self._deciding:
            return text
        self._held += text
        # The last word may go on in the next delta.
        words = _words(self._held)
        whole = [word for word, _ in words[:-1]]
        if self._agreeing(whole):
            return ""
        return self._decide(words)

    def flush(self) -> str:
        if not self._deciding:
            return ""
        return self._decide(_words(self._held))

    def _agreeing(self, words: list[str]) -> bool:
        """Whether these words, all of them, stand somewhere in what was delivered and more may follow."""
        if not words:
            return True
        said = self._delivered
        starts = (at for at, word in enumerate(said) if word == words[0])
        return any(said[at : at + len(words)] == words for at in starts)

    def _decide(self, words: list[tuple[str, int]]) -> str:
        self._deciding = False
        said = self._delivered
        spoken = [word for word, _ in words]
        repeated = 0
        for at in range(len(said)):
            common = 0
            while common < min(len(spoken), len(said) - at) and spoken[common] == said[at + common]:
                common += 1
            if at + common < len(said):  # departs before the end: only whole sentences count
                while common and spoken[common - 1] not in _SENTENCE_END:
                    common -= 1
            if common >= _SHORTEST or common == len(said):
                repeated = max(repeated, common)
        rest = self._held[words[repeated - 1][1] :] if repeated else self._held
        self._held = ""
        return self._glued(rest)

    def _glued(self, text: str) -> str:
        """Keep words apart: a server trims the space with which a continuation begins."""
        left, right = self._glue, text[:1]
        wide = _IDEOGRAPH.match(left) or _IDEOGRAPH.match(right)
        return " " + text if right.isalnum() and not left.isspace() and not wide else text
