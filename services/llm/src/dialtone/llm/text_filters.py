"""What is taken out of a model's text on its way to speech.

Each filter holds back only what it is unsure of.
"""

from typing import Protocol


class TextFilter(Protocol):
    def feed(self, text: str) -> str:
        """Return what of the text so far may pass on."""

    def flush(self) -> str:
        """Return what was held back, at the end of the answer."""


_CLOSED_BY = {"<think>": "</think>", "<thinking>": "</thinking>", "</think>": "", "</thinking>": ""}


class ThinkFilter:
    """Removes `<think>...</think>`, however the deltas cut the tags, and blank lines before the answer.

    A block that is never closed was all reasoning: nothing of it passes. A tag that closes none (llama.cpp
    begins with one where a model may not think) is no word either.
    """

    def __init__(self) -> None:
        self._held = ""
        self._closing = ""  # the tag that ends the block we are in
        self._leading = False  # a block was removed, and nothing has passed yet
        self._passed = False

    def feed(self, text: str) -> str:
        self._held += text
        passed = ""
        while True:
            if self._closing:
                end = self._held.find(self._closing)
                if end < 0:
                    self._held = self._held[-(len(self._closing) - 1) :]
                    self._passed = self._passed or bool(passed)
                    return passed
                self._held = self._held[end + len(self._closing) :]
                self._closing = ""
                self._leading = not self._passed and not passed
            if self._leading:
                self._held = self._held.lstrip()
                if not self._held:
                    return passed
                self._leading = False
            found = [(at, tag) for tag in _CLOSED_BY if (at := self._held.find(tag)) >= 0]
            if not found:
                keep = max(partial_tag(self._held, tag) for tag in _CLOSED_BY)
                passed += self._held[: len(self._held) - keep]
                self._held = self._held[len(self._held) - keep :]
                self._passed = self._passed or bool(passed)
                return passed
            at, tag = min(found)
            passed += self._held[:at]
            self._held = self._held[at + len(tag) :]
            self._closing = _CLOSED_BY[tag]
            if not self._closing:
                self._leading = not self._passed and not passed

    def flush(self) -> str:
        held, self._held = self._held, ""
        return "" if self._closing else held


def partial_tag(text: str, tag: str) -> int:
    """Length of the longest end of `text` with which `tag` begins."""
    return next((size for size in range(min(len(tag) - 1, len(text)), 0, -1) if text.endswith(tag[:size])), 0)


class ControlFilter:
    """Removes control characters other than line breaks and tabs: no voice can say a NUL."""

    _DROP = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127])

    def feed(self, text: str) -> str:
        return text.translate(self._DROP)

    def flush(self) -> str:
        return ""
