"""How long a step may be waited for: its own time counts, not that in which it was not let run.

A machine that is asleep proves nothing of a model, nor does one whose processors are busy with others: a
model that is taken for hung there is loaded again, which keeps them busier still.
"""

import os
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_SLICES = 10
_MOST = 10  # times what it may take: the end of all patience, whatever the reason


class Patience:
    """The time that a step of the process `pid` may take, `within_s`, in slices of `slice_s`."""

    def __init__(self, pid: int, within_s: float) -> None:
        self.within_s = within_s
        self.slice_s = within_s / _SLICES
        self._pid = pid
        self._left_s = within_s
        self._slices_left = _SLICES * _MOST
        self._threads: dict[str, _Thread] = {}  # not known before the first slice: most steps need none

    def over(self) -> bool:
        """Whether it is, now that one more slice has passed.

        One: that this process saw more time pass says that it did not run itself.
        """
        before, self._threads = self._threads, _threads(self._pid)
        used_s = self.slice_s
        if before and any(thread.wants_processor for thread in self._threads.values()):
            used_s = max(now.ran_s - before.get(one, now).ran_s for one, now in self._threads.items())
        self._left_s -= min(used_s, self.slice_s)
        self._slices_left -= 1
        return self._left_s < self.slice_s / 2 or not self._slices_left


class _Thread(NamedTuple):
    wants_processor: bool  # it has one, or waits for one
    ran_s: float


def _threads(pid: int) -> dict[str, _Thread]:
    """The threads of a process; nothing where the system does not say."""
    threads = {}
    for folder in Path(f"/proc/{pid}/task").glob("*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue  # it has ended
        fields = stat.rpartition(")")[2].split()  # those from "state" on, of man 5 proc_pid_stat
        threads[folder.name] = _Thread(fields[0] == "R", (int(fields[11]) + int(fields[12])) / _TICKS)
    return threads
