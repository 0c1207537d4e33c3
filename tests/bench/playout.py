"""The player of a caller's device, reckoned: it starts with the first chunk and buffers nothing ahead."""

from __future__ import annotations


class Playout:
    """One answer. Times are seconds on one clock that never goes back."""

    def __init__(self) -> None:
        self.ends_at: float | None = None
        """When what came so far has been played; None before the first chunk."""
        self.late_chunks = 0
        """Chunks that came after all before them had been played: each is a gap that is heard."""
        self.late_s = 0.0
        """Length of these gaps together."""
        self.audio_s = 0.0

    def chunk(self, duration_s: float, now: float) -> None:
        """Take in a chunk that arrived at `now`."""
        self.audio_s += duration_s
        if self.ends_at is None:
            self.ends_at = now
        elif now > self.ends_at:
            self.late_chunks += 1
            self.late_s += now - self.ends_at
            self.ends_at = now
        self.ends_at += duration_s
