"""CPU and memory of processes, sampled twice a second while something runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import TracebackType

import psutil

_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment, with those that it started: models run in processes of their own."""

    cpu_s: float  # user and system time so far
    rss: int  # bytes


def sample(pids: Mapping[str, int]) -> dict[str, Sample]:
    """Look at each process; those that are gone are left out."""
    found = {}
    named = set(pids.values())
    for name, pid in pids.items():
        try:
            process = psutil.Process(pid)
            # The supervisor started all the others, which have names of their own.
            below = [one for one in process.children(recursive=True) if _belongs(one, pid, named)]
            each = [_of(one) for one in (process, *below)]
        except psutil.NoSuchProcess:
            continue
        found[name] = Sample(sum(one.cpu_s for one in each), sum(one.rss for one in each))
    return found


def _belongs(process: psutil.Process, pid: int, named: Collection[int]) -> bool:
    """Whether `pid` is the nearest of the named processes above it, or it itself."""
    line = (one.pid for one in (process, *process.parents()))
    return next((one for one in line if one in named), None) == pid


def _of(process: psutil.Process) -> Sample:
    times = process.cpu_times()
    return Sample(times.user + times.system, process.memory_info().rss)


class Sampler:
    """Samples named processes in a thread while its block runs."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._samples: list[tuple[float, dict[str, Sample]]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler")

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._samples.append((time.monotonic(), sample(self._pids)))
            if self._stop.wait(_EVERY_S):
                return

    def cpu_share(self, start: float, end: float) -> dict[str, float]:
        """Share of one core that each process took between two monotonic times, as far as was sampled."""
        inside = [one for one in self._samples if start <= one[0] <= end]
        if len(inside) < 2:
            inside = self._samples
        (first_at, first), (last_at, last) = inside[0], inside[-1]
        took = max(last_at - first_at, 1e-9)
        both = first.keys() & last.keys()
        return {
            name: round((last[name].cpu_s - first[name].cpu_s) / took, 4) for name in first if name in both
        }

    def most_rss(self) -> dict[str, int]:
        """The most resident bytes that each process had."""
        found: dict[str, int] = {}
        for _, taken in self._samples:
            for name, one in taken.items():
                found[name] = max(found.get(name, 0), one.rss)
        return found

    def rss(self, at: float) -> dict[str, int]:
        """Resident bytes of each process about then."""
        return {
            name: one.rss for name, one in min(self._samples, key=lambda taken: abs(taken[0] - at))[1].items()
        }
