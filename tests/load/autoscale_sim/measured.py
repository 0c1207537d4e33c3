"""How long work takes, as a real stack measured it: `python -m tests.load.autoscale_sim.measure`."""

from __future__ import annotations

import json
import random
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FILE = Path(__file__).with_name("measured.json")


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """A Prometheus histogram: upper bounds in seconds, and how many were at or below each."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]

    def draw(self, dice: random.Random) -> float:
        """One time; evenly spread inside its bucket."""
        rank = dice.random() * self.counts[-1]
        bucket = min(bisect_left(self.counts, rank), len(self.bounds) - 1)
        low = self.bounds[bucket - 1] if bucket else 0.0
        return dice.uniform(low, self.bounds[bucket])

    def quantile(self, share: float) -> float:
        """So many of all took at most this; evenly spread inside a bucket."""
        rank = share * self.counts[-1]
        bucket = min(bisect_left(self.counts, rank), len(self.bounds) - 1)
        low = self.bounds[bucket - 1] if bucket else 0.0
        below = self.counts[bucket - 1] if bucket else 0
        inside = self.counts[bucket] - below
        return low + (self.bounds[bucket] - low) * ((rank - below) / inside if inside else 1.0)

    @property
    def mean(self) -> float:
        """Of all times, each taken for the middle of its bucket."""
        total, low, below = 0.0, 0.0, 0
        for bound, count in zip(self.bounds, self.counts, strict=True):
            total += (count - below) * (low + bound) / 2
            low, below = bound, count
        return total / self.counts[-1]


@dataclass(frozen=True, slots=True)
class Use:
    """What a deployment's process uses."""

    idle_mib: float
    """Resident memory, models loaded and warm, without a call."""
    most_mib: float
    """The most of it with one call."""
    idle_cores: float
    """Of processor time, without a call."""
    cpu_s: float
    """More of it for a piece of work; for a second of call, with gateway and ears."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Times of work by deployment, and from a process's start until it is ready, in seconds."""

    work: Mapping[str, ServiceTime]
    start_s: Mapping[str, float]
    use: Mapping[str, Use] = field(default_factory=dict)


def read_measured(path: Path = FILE) -> Measured:
    """Read what was measured."""
    found = json.loads(path.read_text())
    work = {
        name: ServiceTime(tuple(one["bounds"]), tuple(one["counts"])) for name, one in found["work"].items()
    }
    return Measured(work, found["start_s"], {name: Use(**one) for name, one in found["use"].items()})
