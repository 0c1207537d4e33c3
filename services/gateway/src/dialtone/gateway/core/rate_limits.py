"""How many responses and tokens a call may use in a minute, and what the client is told of it.

The limits are the operator's, of each call by itself; 0 is none, and of a limit that is none nothing
is told. The minute slides: what was used counts for sixty seconds. A response is counted when it is
created, its tokens when it is over; one that is refused is not counted. What all calls of a tenant may use
is counted where they are known: here it is a time in which nothing may begin.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

from . import server_events as out

WINDOW_S = 60.0
# What is used within this time counts as used at once, so that little is to be remembered.
GRAIN_S = 0.5


class RateWindow:
    """What was used of one limit within the last minute."""

    def __init__(self, name: Literal["requests", "tokens"], limit: int) -> None:
        self.name = name
        self._limit = limit
        self._entries: deque[tuple[float, int]] = deque()  # when its grain began, and how much
        self._used = 0

    def use(self, amount: int, now: float) -> None:
        self._forget(now)
        self._used += amount
        if self._entries and now - self._entries[-1][0] < GRAIN_S:
            since, before = self._entries.pop()
            self._entries.append((since, before + amount))
        else:
            self._entries.append((now, amount))

    def exhausted_for(self, now: float) -> float:
        """Seconds until something is left; 0 when there is."""
        self._forget(now)
        left = self._limit - self._used
        for since, amount in self._entries:
            if left > 0:
                break
            left += amount
            if left > 0:
                return since + WINDOW_S - now
        return 0.0

    def state(self, now: float) -> out.RateLimit:
        """`reset_seconds` is when all that was used so far is forgotten."""
        self._forget(now)
        reset = self._entries[-1][0] + WINDOW_S - now if self._entries else 0.0
        return out.RateLimit(self.name, self._limit, max(0, self._limit - self._used), round(reset, 3))

    def _forget(self, now: float) -> None:
        while self._entries and self._entries[0][0] + WINDOW_S <= now:
            self._used -= self._entries.popleft()[1]


class RateLimits:
    """The limits of one call."""

    def __init__(self, *, requests_per_minute: int, tokens_per_minute: int) -> None:
        self._held_until = -math.inf
        self._requests = RateWindow("requests", requests_per_minute) if requests_per_minute else None
        self._tokens = RateWindow("tokens", tokens_per_minute) if tokens_per_minute else None

    @property
    def _windows(self) -> list[RateWindow]:
        return [window for window in (self._requests, self._tokens) if window is not None]

    def hold(self, until: float) -> None:
        """Nothing may begin before that."""
        self._held_until = until

    def admit(self, now: float) -> str | None:
        """Count a response that begins; or say why it may not."""
        if (seconds := self._held_until - now) > 0:
            return f"Your calls together have used their tokens. Please try again in {seconds:.1f}s."
        for window in self._windows:
            seconds = window.exhausted_for(now)
            if seconds > 0:
                return f"Rate limit of {window.name} per minute reached. Please try again in {seconds:.1f}s."
        if self._requests is not None:
            self._requests.use(1, now)
        return None

    def used(self, tokens: int, now: float) -> None:
        """Count the tokens of a response that is over."""
        if self._tokens is not None:
            self._tokens.use(tokens, now)

    def updated(self, now: float) -> out.RateLimitsUpdated | None:
        """What the client is told after a response; None where nothing is limited."""
        windows = self._windows
        return out.RateLimitsUpdated([window.state(now) for window in windows]) if windows else None
