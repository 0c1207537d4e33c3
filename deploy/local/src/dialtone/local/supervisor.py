"""Runs a stack: starts its processes in order, restarts what dies, ends them in the reverse order.

Until the stack is ready for the first time, a process that ends is a fault of the installation and ends the
stack; after that it is an accident and the process is started again, a little later each time, not for ever.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from typing import IO

from dialtone.local.log_lines import readable
from dialtone.local.plan import StackPlan
from dialtone.local.ports import HOST, port_is_free
from dialtone.local.process import SupervisedProcess
from dialtone.local.settings import StackSettings
from dialtone.local.state import Phase, StackState, start_time, state_file, write_state

MAX_RESTARTS = 5
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 8.0
STEADY_S = 60.0
"""A process that ran for this long has its earlier restarts forgiven."""
SHOWN_LINES = 15


class StackFailed(Exception):
    """The stack could not be started or kept up; the message is for the person at the terminal."""


class Supervisor:
    """One stack. `run` returns when it was stopped; `state` is what the state file says."""

    def __init__(
        self, settings: StackSettings, plan: StackPlan, on_change: Callable[[StackState], None]
    ) -> None:
        self._settings = settings
        self._on_change = on_change
        self._plan = plan
        self._stop = asyncio.Event()
        log_dir = settings.run_dir / "logs"
        self._processes = {one.name: SupervisedProcess(one, log_dir, self._publish) for one in plan.processes}
        self.state = StackState(
            pid=os.getpid(),
            started=start_time(os.getpid()),
            url=plan.url,
            stages=settings.stages,
            nats_url=plan.nats_url,
            redis_url=plan.redis_url,
            database_url=plan.database_url,
            processes={name: process.state for name, process in self._processes.items()},
        )

    @property
    def logs(self) -> dict[str, str]:
        """The log file of each process, by name."""
        return {name: str(process.log) for name, process in self._processes.items()}

    def stop(self) -> None:
        """Ask the stack to end in order; asked a second time, everything is killed."""
        if self._stop.is_set():
            for process in self._processes.values():
                process.kill()
        self._stop.set()

    async def run(self) -> None:
        """Start the stack, keep it up until `stop`, end it. Raises StackFailed."""
        run_dir = self._settings.run_dir
        (run_dir / "logs").mkdir(parents=True, exist_ok=True)
        with (run_dir / "lock").open("w") as lock:
            self._claim(lock)
            self._rotate_logs()
            try:
                await self._keep_up()
            except ExceptionGroup as group:
                if (failures := group.subgroup(StackFailed)) is None:
                    raise
                self._set_phase("failed", str(_first_leaf(failures)))
                raise StackFailed(self.state.error) from None
            finally:
                if self.state.phase != "failed":
                    self._set_phase("stopping")
                await asyncio.shield(self._end_all())
                if self.state.phase != "failed":
                    state_file(run_dir).unlink(missing_ok=True)

    def _claim(self, lock: IO[str]) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackFailed(
                f"a stack is running in {self._settings.run_dir} already: `make down` ends it"
            ) from None
        port = self._settings.port
        if port and not port_is_free(port):
            raise StackFailed(f"port {port} of {HOST} is in use by another program: choose one with PORT=")

    async def _keep_up(self) -> None:
        plan = self._plan
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(self._stop.wait())
            keepers: list[asyncio.Task[None]] = []
            try:
                async with asyncio.timeout(self._settings.start_timeout_s):
                    for tier in (plan.servers, (*plan.workers, plan.gateway)):
                        ready = [asyncio.Event() for _ in tier]
                        keepers += [
                            group.create_task(self._keep(self._processes[one.name], event))
                            for one, event in zip(tier, ready, strict=True)
                        ]
                        await self._all_ready_or_stopping(ready)
            except TimeoutError:
                raise StackFailed(self._not_ready()) from None
            if not self._stop.is_set():
                self._set_phase("ready")
            await stopping
            for keeper in keepers:
                keeper.cancel()

    async def _all_ready_or_stopping(self, ready: list[asyncio.Event]) -> None:
        async def everything() -> None:
            for event in ready:
                await event.wait()

        async def stopping() -> None:
            await self._stop.wait()

        either = {asyncio.create_task(everything()), asyncio.create_task(stopping())}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in either:
                task.cancel()

    async def _keep(self, process: SupervisedProcess, ready: asyncio.Event) -> None:
        """Run one process until cancelled; raises StackFailed when that is given up."""
        backoff, attempts = FIRST_BACKOFF_S, 0
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            began = loop.time()
            try:
                await process.start()
            except OSError as failure:
                raise StackFailed(f"{process.plan.name} cannot be started: {failure}") from failure
            if await process.ready_or_gone():
                ready.set()
            status = await process.gone()
            if self._stop.is_set():
                return
            if loop.time() - began > STEADY_S:
                backoff, attempts = FIRST_BACKOFF_S, 0
            attempts += 1
            if not ready.is_set() or attempts > MAX_RESTARTS:
                raise StackFailed(_obituary(process, status, attempts))
            process.mark_restarting()
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF_S)

    async def _end_all(self) -> None:
        gateway = self._plan.gateway
        for tier in ((gateway,), self._plan.workers, self._plan.servers):
            await asyncio.gather(*(self._processes[one.name].stop() for one in tier))

    def _not_ready(self) -> str:
        late = [name for name, one in self._processes.items() if one.state.condition != "ready"]
        words = f"not ready after {self._settings.start_timeout_s:.0f} s: {', '.join(late)}"
        return "\n".join([words, *(line for name in late for line in _quoted(self._processes[name]))])

    def _rotate_logs(self) -> None:
        for process in self._processes.values():
            if process.log.exists():
                process.log.replace(process.log.with_suffix(".log.1"))

    def _set_phase(self, phase: Phase, error: str = "") -> None:
        self.state.phase, self.state.error, self.state.since = phase, error, time.monotonic()
        self._publish()

    def _publish(self) -> None:
        write_state(self._settings.run_dir, self.state)
        self._on_change(self.state)


def _obituary(process: SupervisedProcess, status: int, attempts: int) -> str:
    how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    again = (
        f" for the {attempts}th time in short order"
        if attempts > MAX_RESTARTS
        else " before the stack was ready"
    )
    return "\n".join([f"{process.plan.name} {how}{again}; the last of {process.log}:", *_quoted(process)])


def _quoted(process: SupervisedProcess) -> list[str]:
    lines = [part for line in process.last_lines(SHOWN_LINES) for part in readable(line)]
    return [f"  {process.plan.name} | {line}" for line in lines[-SHOWN_LINES:]]


def _first_leaf(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
