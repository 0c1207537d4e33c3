"""What the person at the terminal sees while a stack starts, runs and ends."""

import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from dialtone.local.log_lines import readable
from dialtone.local.state import StackState

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan")


class StartDisplay:
    """Shows the condition of each process: live on a terminal, else a line for each change."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._seen: dict[str, tuple[str, int]] = {}
        self._live = (
            Live(console=console, transient=True, refresh_per_second=8) if console.is_terminal else None
        )

    def __enter__(self) -> "StartDisplay":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _exc: BaseException | None, _tb: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, state: StackState) -> None:
        """Take a new state."""
        if self._live:
            self._live.update(self._table(state) if state.phase in ("starting", "stopping") else "")
        self._say_changes(state, everything=self._live is None)

    def elapsed_s(self) -> float:
        """Seconds since this display was made."""
        return time.monotonic() - self._began

    def _say_changes(self, state: StackState, *, everything: bool) -> None:
        for name, process in state.processes.items():
            now = (process.condition, process.restarts)
            before = self._seen.get(name)
            if before == now:
                continue
            self._seen[name] = now
            restarted = process.restarts > (before[1] if before else 0)
            recovered = process.restarts > 0 and process.condition == "ready"
            if restarted or recovered or (everything and process.condition in ("starting", "ready")):
                line = f"{self.elapsed_s():6.1f} s  {name:<8} {process.condition}"
                self._console.print(line, highlight=False)

    def _table(self, state: StackState) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, process in state.processes.items():
            settled = process.condition in ("ready", "stopped", "waiting")
            mark = {"ready": "[green]✓", "stopped": "[dim]·", "waiting": "[dim]…"}.get(process.condition)
            took = "" if process.condition == "waiting" else f"{time.monotonic() - process.since:.0f} s"
            table.add_row(
                mark if settled else Spinner("dots"), name, process.condition, "" if settled else took
            )
        return table


class LogFollower:
    """Prints new lines of log files, each with the name of its process."""

    def __init__(self, console: Console, logs: dict[str, str]) -> None:
        self._console = console
        self._logs = {name: Path(path) for name, path in logs.items()}
        self._offsets = dict.fromkeys(logs, 0)
        self._width = max(map(len, logs), default=0)

    def poll(self) -> None:
        """Print what was written since the last call (whole lines only)."""
        for colour, (name, path) in zip(_COLOURS * 4, self._logs.items(), strict=False):
            with suppress(FileNotFoundError), path.open("rb") as log:
                if log.seek(0, 2) < self._offsets[name]:  # the file was begun anew
                    self._offsets[name] = 0
                log.seek(self._offsets[name])
                whole, newline, _rest = log.read().rpartition(b"\n")
                self._offsets[name] += len(whole) + len(newline)
                lines = whole.decode(errors="replace").splitlines()
                for line in (part for logged in lines for part in readable(logged)):
                    self._console.print(f"{name:<{self._width}} | ", style=colour, end="", highlight=False)
                    self._console.print(line, markup=False, highlight=False, soft_wrap=True)
