"""`down`: end the stack that runs in the background, and clear up after one that was killed."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from dialtone.local.state import ProcessState, read_state, state_file

STOP_TIMEOUT_S = 60.0
LEFTOVER_GRACE_S = 5.0
_POLL_S = 0.05


def down(run_dir: Path, console: Console) -> int:
    """End the stack of this run folder and wait until it is gone; return the exit status."""
    state = read_state(run_dir)
    if state is None:
        console.print("not running")
        return 0
    if not state.alive:
        left = clear_leftovers(run_dir)
        console.print(f"the supervisor was gone; ended {left} leftover processes" if left else "not running")
        return 0
    with suppress(ProcessLookupError):
        os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while state.alive:
        if time.monotonic() > deadline:
            console.print(
                f"the stack (process {state.pid}) did not end in {STOP_TIMEOUT_S:.0f} s", style="red"
            )
            return 1
        time.sleep(_POLL_S)
    clear_leftovers(run_dir)
    console.print("stopped")
    return 0


def clear_leftovers(run_dir: Path) -> int:
    """End what a supervisor that was killed left behind, remove its state file; return how many there were.

    Only processes that the state file names by id and start time are touched, and none while their
    supervisor lives.
    """
    state = read_state(run_dir)
    if state and state.alive:
        return 0
    left = [process for process in state.processes.values() if process.alive] if state else []
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + LEFTOVER_GRACE_S
        for process in left:
            _signal(process, number)
        while any(process.alive for process in left) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    state_file(run_dir).unlink(missing_ok=True)
    return len(left)


def _signal(process: ProcessState, number: signal.Signals) -> None:
    if process.alive:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
