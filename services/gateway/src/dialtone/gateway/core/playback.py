"""What a client can have played of what it was sent."""

from __future__ import annotations


class Playback:
    """A player that starts with the first chunk, and waits when it runs dry.

    Nobody tells the server what was heard, so it reckons with a client that plays at once: nothing
    can have been heard later than this says.
    """

    def __init__(self) -> None:
        self.sent_us = 0
        self._ends_at = 0.0

    def sent(self, duration_us: int, now: float) -> None:
        self._ends_at = max(self._ends_at, now) + duration_us / 1e6
        self.sent_us += duration_us

    def unplayed_us(self, now: float) -> int:
        return max(0, round((self._ends_at - now) * 1e6))

    def played_us(self, now: float) -> int:
        return max(0, self.sent_us - self.unplayed_us(now))

    def time_until_unplayed(self, level_us: int, now: float) -> float:
        """Seconds until no more than `level_us` of what was sent is unplayed."""
        return max(0.0, self._ends_at - level_us / 1e6 - now)
