"""Beats at a steady rate on an absolute schedule: a late beat does not make the next ones late."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Callable


class Metronome:
    """Calls `on_beat` each `period_s`; what is overdue is made up for at once."""

    def __init__(self, period_s: float, on_beat: Callable[[], None], lateness_ms: array[float]) -> None:
        """`lateness_ms` is where each beat's delay against the schedule is noted."""
        self._period = period_s
        self._on_beat = on_beat
        self._lateness = lateness_ms
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Beat for the first time in one period, and go on until `stop`."""
        self._due = time.monotonic() + self._period
        self._set_timer()

    def stop(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        delay = max(0.0, self._due - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        now = time.monotonic()
        while self._due <= now:
            self._lateness.append((now - self._due) * 1e3)
            self._due += self._period
            self._on_beat()
        self._set_timer()
