"""Runs a worker as a process: loads its models, works, drains when asked to stop.

Ready means that work is taken: models loaded and warm, the broker connected, not draining. The first
SIGTERM or SIGINT drains; a second one ends the process at once.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import uvloop

from dialtone.bus import Bus, Handler, LeaseWorker, Stage
from dialtone.settings import ServiceSettings
from dialtone.telemetry import configure_logging, count_tasks, get_logger, watch_loop_lag
from dialtone.telemetry.tracing import configure_tracing, flush_traces
from dialtone.v1.offers_pb2 import Offer
from dialtone.worker.health import serve_health
from dialtone.worker.offers import tell_offers

log = get_logger(__name__)


async def _nothing_to_close() -> None:
    return


class Model(Protocol):
    """What the work cannot be done without, as ModelProcess is."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def ready(self) -> bool:
        """Whether it can be used now."""

    async def gone(self) -> str:
        """Wait until it is given up for good; return why."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `load` gives: a handler that is ready to work.

    `slots` is how many leases are held at once; `close` is called after the drain. While one of its `models`
    is not ready, no work is pulled; when one is given up, the worker hands its work back and exits with 1.
    `offers` is what a session may name of it; None: nothing of this stage is named.
    """

    handler: Handler
    slots: int
    close: Callable[[], Awaitable[None]] = _nothing_to_close
    models: Sequence[Model] = ()
    offers: Sequence[Offer] | None = None


Load = Callable[[], Awaitable[Loaded]]


def run_worker(*, service: str, stage: Stage, settings: ServiceSettings, load: Load) -> None:
    """Run a worker until it is told to stop. Exits the process with 1 if it cannot work."""
    configure_logging(service, level=settings.log_level, form=settings.log_format)
    configure_tracing(service)
    process = _Process(service, stage, settings, load)
    try:
        sys.exit(uvloop.run(process.run()))
    finally:
        flush_traces()


class _Process:
    def __init__(self, service: str, stage: Stage, settings: ServiceSettings, load: Load) -> None:
        self._service = service
        self._stage = stage
        self._settings = settings
        self._load = load
        self._bus: Bus | None = None
        self._loaded = False
        self._working = False
        self._models: Sequence[Model] = ()
        self._asked_to_stop = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        count_tasks()
        lag = asyncio.create_task(watch_loop_lag())
        settings = self._settings
        try:
            async with serve_health(settings.http_host, settings.http_port, self._not_ready) as port:
                return await self._serve(port)
        except OSError as error:
            log.error("cannot serve health checks", port=settings.http_port, error=str(error))
            return 1
        finally:
            lag.cancel()

    async def _serve(self, port: int) -> int:
        log.info("starting", stage=self._stage, pool=self._settings.pool, http_port=port)
        preparing = asyncio.create_task(self._prepare())
        asked = asyncio.create_task(self._asked_to_stop.wait())
        await asyncio.wait({preparing, asked}, return_when=asyncio.FIRST_COMPLETED)
        if not preparing.done():
            log.info("stopped while starting")
            preparing.cancel()
            await asyncio.wait({preparing})
            return 0
        if (error := preparing.exception()) is not None:
            log.error("cannot start", error=str(error), exc_info=error)
            asked.cancel()
            return 1
        bus, loaded = preparing.result()
        try:
            return await self._work(bus, loaded, port, asked)
        finally:
            asked.cancel()
            await bus.close()
            await loaded.close()
            log.info("stopped")

    async def _prepare(self) -> tuple[Bus, Loaded]:
        """Connect and load side by side: both may take their time."""

        async def load() -> Loaded:
            loaded = await self._load()
            self._loaded = True
            return loaded

        try:
            async with asyncio.TaskGroup() as group:
                loading = group.create_task(load())
                connecting = group.create_task(Bus.connect(self._settings, name=self._service))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # one broke, and the other was cancelled for it
        return connecting.result(), loading.result()

    async def _work(self, bus: Bus, loaded: Loaded, port: int, asked: "asyncio.Task[bool]") -> int:
        self._bus = bus
        worker_id = f"{self._service}-{socket.gethostname()}-{os.getpid()}"
        worker = LeaseWorker(
            bus,
            self._stage,
            loaded.handler,
            slots=loaded.slots,
            pool=self._settings.pool,
            worker_id=worker_id,
            drain_grace=self._settings.drain_grace_s,
            able=lambda: all(model.ready for model in loaded.models),
        )
        self._models = loaded.models
        working = asyncio.create_task(worker.run())
        lost = asyncio.create_task(bus.wait_lost())
        gone = [asyncio.create_task(model.gone()) for model in loaded.models]
        telling = []
        if loaded.offers is not None:
            telling.append(
                asyncio.create_task(tell_offers(bus, self._stage, self._settings.pool, loaded.offers))
            )
        self._working = True
        gc.collect()
        gc.freeze()  # what stays for good: looking through all of it stops the loop for some 30 ms
        log.info("ready", stage=self._stage, slots=loaded.slots, http_port=port, worker_id=worker_id)
        try:
            await asyncio.wait({working, lost, asked, *gone}, return_when=asyncio.FIRST_COMPLETED)
            self._working = False
            for answering in telling:  # a worker that leaves speaks for its pool no more
                answering.cancel()
            if working.done() or lost.done():
                if working.done() and (error := working.exception()) is not None:
                    log.error("the worker broke", exc_info=error)
                return 1
            await worker.stop()
            await working
            return 1 if any(task.done() for task in gone) else 0
        finally:
            for task in (lost, working, *gone, *telling):
                task.cancel()

    def _on_signal(self, number: int) -> None:
        if self._asked_to_stop.is_set():
            log.warning("stopping at once", signal=signal.Signals(number).name)
            sys.stderr.flush()
            os._exit(128 + number)
        log.info("asked to stop", signal=signal.Signals(number).name)
        self._asked_to_stop.set()

    def _not_ready(self) -> str:
        if self._asked_to_stop.is_set():
            return "draining"
        if not self._loaded:
            return "loading"
        if self._bus is None or not self._bus.connected:
            return "broker away"
        if missing := next((model.name for model in self._models if not model.ready), ""):
            return f"model {missing} is not ready"
        return "" if self._working else "stopped"
