"""How long work takes, as a real stack measured it: `python -m tests.load.autoscale_sim.measure`."""

from __future__ import annotations

import json
import random
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Measured:
    """Times of work by deployment, and from a process's start until it is ready, in seconds."""

    work: Mapping[str, ServiceTime]
    start_s: Mapping[str, float]


def read_measured(path: Path = FILE) -> Measured:
    """Read what was measured."""
    found = json.loads(path.read_text())
    work = {
        name: ServiceTime(tuple(one["bounds"]), tuple(one["counts"])) for name, one in found["work"].items()
    }
    return Measured(work, found["start_s"])
