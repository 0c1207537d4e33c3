"""A stack of its own for a bench: free ports, its own run folder, ended for certain."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from dialtone.local.down import clear_leftovers, down
from dialtone.local.models import fetch_models
from dialtone.local.settings import StackSettings, checkout
from dialtone.local.state import read_state
from dialtone.local.supervisor import StackFailed
from dialtone.local.up import start_detached, wanted_models

BUILD = checkout() / "build"


@dataclass(frozen=True, slots=True)
class RunningStack:
    """Where it answers, and its processes by name (the supervisor among them)."""

    url: str
    pids: Mapping[str, int]

    @property
    def socket_url(self) -> str:
        """The same as ws://."""
        return f"ws{self.url.removeprefix('http')}"


@contextmanager
def running_stack(stages: Literal["real", "simulated"], console: Console) -> Iterator[RunningStack]:
    """Start a stack and end it afterwards. Raises StackFailed."""
    run_dir = BUILD / "bench" / f"run-{stages}"
    shutil.rmtree(run_dir, ignore_errors=True)
    settings = StackSettings(stages=stages, port=0, run_dir=run_dir, detach=True)
    names = wanted_models(settings)
    if names and not fetch_models(names, settings.models_dir, console):
        raise StackFailed("without its models the stack cannot start")
    state = start_detached(settings, console)
    try:
        # Written a moment after each process was started; by now all of them are ready.
        now = read_state(run_dir)
        assert now is not None
        pids = {name: process.pid for name, process in now.processes.items()}
        yield RunningStack(state.url, {**pids, "supervisor": state.pid})
    finally:
        down(run_dir, console)
        clear_leftovers(run_dir)


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), "")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }
