"""The recent audio of one stream, and where in it a voice was heard. Bounded."""

from __future__ import annotations

from dialtone.audio import Pcm16, pcm16_from_bytes

_SLACK = 16_000  # bytes: forgetting moves memory, so half a second is forgotten at a time


class Recording:
    """Samples at 16 kHz by position; keeps what `forget` has not dropped."""

    def __init__(self, position: int = 0) -> None:
        self._data = bytearray()
        self._start = position

    @property
    def start(self) -> int:
        """Position of the oldest sample kept."""
        return self._start

    @property
    def end(self) -> int:
        """Position after the newest sample."""
        return self._start + len(self._data) // 2

    def append(self, pcm: bytes) -> None:
        """The next samples, 16 bit."""
        self._data += pcm

    def forget(self, before: int) -> None:
        """Drops the samples before the position, some of them a little later."""
        count = (before - self._start) * 2
        if count >= _SLACK:
            del self._data[:count]
            self._start = before

    def read(self, start: int, end: int) -> Pcm16:
        """int16 of what is kept of [start, end)."""
        first = max(start - self._start, 0) * 2
        last = max(end - self._start, 0) * 2
        return pcm16_from_bytes(bytes(self._data[first:last]))


class VoicedSpans:
    """The stretches of a stream in which a voice was heard, oldest first."""

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def add(self, start: int, end: int) -> None:
        """A stretch after, or next to, the last one."""
        if self._spans and start <= self._spans[-1][1]:
            self._spans[-1] = (self._spans[-1][0], max(end, self._spans[-1][1]))
        else:
            self._spans.append((start, end))

    def forget(self, before: int) -> None:
        if self._spans and self._spans[0][1] <= before:
            self._spans = [span for span in self._spans if span[1] > before]

    def within(self, start: int, end: int) -> list[tuple[int, int]]:
        """The stretches of [start, end), cut at its borders."""
        cut = ((max(first, start), min(last, end)) for first, last in self._spans)
        return [(first, last) for first, last in cut if first < last]
