"""How the load itself did: a generator that is late measures itself and not the gateway."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from tests.load.lines import Pace

_BUSY = 0.9  # of the most calls at once: when as many are there, it is at its full load


class Report(msgspec.Struct, frozen=True):
    """Of a whole run; processor time of the stretches with at least nine tenths of the calls."""

    calls: int
    """At once, at most."""
    talker_cores: float
    """Of the process that talks."""
    locust_cores: float
    """Of locust, which counts."""
    frames: int
    late_frames: float
    """Share of the frames that were sent more than 20 ms after they were due."""
    late_p99_ms: float
    """Of frames, in the worst stretch of a few seconds."""
    lag_p99_ms: float
    """Of the event loop that talks and listens, in the worst stretch."""
    lag_max_ms: float

    def in_words(self) -> str:
        """One line."""
        return (
            f"{self.calls} calls on {self.talker_cores:.2f} of a core, locust on {self.locust_cores:.2f}; "
            f"{self.late_frames:.2%} of {self.frames} frames late by more than 20 ms, "
            f"p99 {self.late_p99_ms:.1f} ms; event loop late by {self.lag_p99_ms:.1f} ms at p99, "
            f"{self.lag_max_ms:.0f} ms at most"
        )


@dataclass(frozen=True, slots=True)
class _Stretch:
    pace: Pace
    locust_s: float


class Generator:
    """Gathers what the talking process tells of itself."""

    def __init__(self, cpu_s: Callable[[], float] = time.process_time) -> None:
        """`cpu_s`: processor time that this process has used."""
        self._cpu_s = cpu_s
        self._used = cpu_s()
        self._stretches: list[_Stretch] = []

    def add(self, pace: Pace) -> None:
        """The next few seconds."""
        now = self._cpu_s()
        self._stretches.append(_Stretch(pace, now - self._used))
        self._used = now

    def report(self) -> Report | None:
        """Of what came so far; None when nothing did."""
        most = max((one.pace.calls for one in self._stretches), default=0)
        full = [one for one in self._stretches if one.pace.calls >= _BUSY * most]
        if not full:
            return None
        seconds = sum(one.pace.seconds for one in full)
        paces = [one.pace for one in self._stretches]
        frames = sum(pace.frames for pace in paces)
        return Report(
            calls=most,
            talker_cores=round(sum(one.pace.cpu_s for one in full) / seconds, 4),
            locust_cores=round(sum(one.locust_s for one in full) / seconds, 4),
            frames=frames,
            late_frames=round(sum(pace.late_frames for pace in paces) / max(1, frames), 5),
            late_p99_ms=max(pace.late_p99_ms for pace in paces),
            lag_p99_ms=max(pace.lag_p99_ms for pace in paces),
            lag_max_ms=max(pace.lag_max_ms for pace in paces),
        )
