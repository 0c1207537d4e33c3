"""What a client can have played of what it was sent."""

from __future__ import annotations


class Playback:
    """A player that starts with the first chunk, and waits when it runs dry.

    Nobody tells the server what was heard, so it reckons with a client that plays at once: nothing
    can have been heard later than this says.
    """

    def __init__(self, busy_until: float = 0.0) -> None:
        """`busy_until`: when the player is through with what it was sent before."""
        self.sent_us = 0
        self.ends_at = busy_until

    def sent(self, duration_us: int, now: float) -> None:
        self.ends_at = max(self.ends_at, now) + duration_us / 1e6
        self.sent_us += duration_us

    def stop(self) -> None:
        """The client drops what it has not played."""
        self.ends_at = 0.0

    def unplayed_us(self, now: float) -> int:
        """What is still to be played, of what was sent before too."""
        return max(0, round((self.ends_at - now) * 1e6))

    def played_us(self, now: float) -> int:
        return max(0, self.sent_us - self.unplayed_us(now))

    def time_until_unplayed(self, level_us: int, now: float) -> float:
        """Seconds until no more than `level_us` of what was sent is unplayed."""
        return max(0.0, self.ends_at - level_us / 1e6 - now)
