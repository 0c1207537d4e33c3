"""The state file of a running stack: who runs, where it answers, and in what condition it is.

A process is known by its id together with its start time, so that a stale file never leads to the wrong
process when an id was given out again.
"""

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import psutil

Phase = Literal["starting", "ready", "stopping", "failed"]
Condition = Literal["waiting", "starting", "ready", "restarting", "stopped"]


@dataclass(slots=True)
class ProcessState:
    """One process.

    `since` is when its condition began, on the machine's monotonic clock (s); `url` is where its health
    checks are.
    """

    condition: Condition = "waiting"
    since: float = field(default_factory=time.monotonic)
    pid: int = 0
    started: float = 0.0
    restarts: int = 0
    url: str = ""

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return is_alive(self.pid, self.started)


@dataclass(slots=True)
class StackState:
    """All of a stack; `error` says why it failed."""

    pid: int
    started: float
    url: str
    stages: str
    nats_url: str
    redis_url: str
    database_url: str
    phase: Phase = "starting"
    error: str = ""
    since: float = field(default_factory=time.monotonic)
    processes: dict[str, ProcessState] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether the supervisor of this stack still runs."""
        return is_alive(self.pid, self.started)


def start_time(pid: int) -> float:
    """Return the Unix time at which a process began; 0.0 when there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def is_alive(pid: int, started: float) -> bool:
    """Tell whether the process that began at `started` under `pid` still runs (a zombie does not)."""
    try:
        process = psutil.Process(pid)
        same = abs(float(process.create_time()) - started) < 1.0
        return same and str(process.status()) != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return False


def state_file(run_dir: Path) -> Path:
    """Return where the state of the stack in `run_dir` is kept."""
    return run_dir / "stack.json"


def write_state(run_dir: Path, state: StackState) -> None:
    """Replace the state file at once: a reader sees the old state or the new one."""
    partial = run_dir / f".stack.json.{os.getpid()}"
    partial.write_text(json.dumps(asdict(state), indent=1))
    partial.replace(state_file(run_dir))


def read_state(run_dir: Path) -> StackState | None:
    """Return the state last written, or None. It may be that of a stack that is gone: see `alive`."""
    try:
        raw = json.loads(state_file(run_dir).read_text())
        processes = {name: ProcessState(**entry) for name, entry in raw.pop("processes").items()}
        return StackState(**raw, processes=processes)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):  # written by another version: nothing in it can be trusted
        return None
