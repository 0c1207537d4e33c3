"""One process of the stack: started in a session of its own, its output in a log file, ended for certain.

A session of its own keeps the terminal's Ctrl-C from reaching it: the supervisor ends the processes in order.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dialtone.local.plan import ProcessPlan
from dialtone.local.state import Condition, ProcessState, start_time

_POLL_S = 0.1
_TAIL_BYTES = 16 * 1024


class SupervisedProcess:
    """A planned process and its condition; `on_change` is called whenever the condition changes."""

    def __init__(self, plan: ProcessPlan, log_dir: Path, on_change: Callable[[], None]) -> None:
        self.plan = plan
        self.log = log_dir / f"{plan.name}.log"
        self.state = ProcessState(url=plan.url)
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; its output is appended to its log. Raises OSError when the program cannot be run."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.plan.command,
                env=dict(self.plan.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.state.pid = self._process.pid
        self.state.started = start_time(self._process.pid)
        self._set("starting")

    async def ready_or_gone(self) -> bool:
        """Wait until it says that it is ready (True) or has ended (False)."""
        assert self._process is not None
        while self._process.returncode is None:
            if await self.plan.probe() and self._process.returncode is None:
                self._set("ready")
                return True
            await asyncio.sleep(_POLL_S)
        return False

    async def gone(self) -> int:
        """Wait until it has ended; return its exit status (negative: the signal that ended it)."""
        assert self._process is not None
        return await self._process.wait()

    def mark_restarting(self) -> None:
        """Note that it ended by itself and will be started again."""
        self.state.restarts += 1
        self._set("restarting")

    async def stop(self) -> None:
        """Ask it to end, wait for its grace, then kill it and what it started."""
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(self.plan.stop_grace_s):
                    await process.wait()
            except TimeoutError:
                self.kill()
                await process.wait()
        self._set("stopped")

    def kill(self) -> None:
        """Kill it and its session at once. It is our child and not yet waited for: the id is its own."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines of its log."""
        with suppress(FileNotFoundError), self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()[-count:]
        return []

    def _set(self, condition: Condition) -> None:
        if condition != self.state.condition:
            self.state.condition = condition
            self.state.since = time.monotonic()
            self._on_change()
