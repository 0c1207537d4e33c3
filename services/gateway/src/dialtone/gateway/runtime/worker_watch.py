"""Notices that a worker is gone before its leases run out: the broker says so when nobody hears for it.

The broker drops a process's subscriptions with its connection, at once when the process is killed. One that
stands still, or is cut off, keeps them, and is left to the ack wait.

Where the machine has too much to do, a connection that broke takes its time to be made again, and each worker
that is only late would have its work done twice, or given up after a few times. So the later the watch is,
the longer it waits for others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from dialtone.bus import Bus, BusError, Message, alive_subject
from dialtone.gateway.runtime.metrics import workers_gone
from dialtone.telemetry import get_logger

log = get_logger(__name__)

PERIOD_S = 0.25
MISSES = 2  # in a row: a connection that broke is made again sooner
LATENESSES = 4  # of its own, that it waits for a worker beside
PATIENCE_S = 1.0  # at most: then the leases of a worker that is gone run out by themselves
REMEMBERED = 0.9  # of a lateness, after each further round
RETURN_S = 1.0  # that workers have to come back after the broker was away
WATCHED = 1_000


@dataclass(slots=True)
class _Worker:
    asked: bool = False  # and nothing has come back
    seen: bool = False
    misses: int = 0
    missing_since: float = 0.0


class WorkerWatch:
    """Asks for each worker that claimed work, four times a second, however many calls it works for."""

    def __init__(self, bus: Bus, on_gone: Callable[[str], None]) -> None:
        """`on_gone` is called with the instance of a worker (see Claim) that is gone."""
        self._bus = bus
        self._on_gone = on_gone
        self._workers: dict[str, _Worker] = {}
        self._inbox = bus.new_inbox()
        self._late_s = 0.0  # how late it was of late

    def heard_of(self, instance: str) -> None:
        """A worker claims work; it is watched from here on."""
        if instance and instance not in self._workers and len(self._workers) < WATCHED:
            try:
                alive_subject(instance)
            except ValueError:
                log.warning("a worker cannot be watched", instance=instance[:80])
                return
            self._workers[instance] = _Worker()

    async def start(self) -> None:
        """Begin to listen. Raises BusError."""
        await self._bus.subscribe(f"{self._inbox}.*", self._on_note)

    async def run(self) -> None:
        """Watch, until cancelled; after `start`."""
        generation = self._bus.generation
        while True:
            due = time.monotonic() + PERIOD_S
            await asyncio.sleep(PERIOD_S)
            self._late_s = max(time.monotonic() - due, self._late_s * REMEMBERED)
            if generation != self._bus.generation:
                await asyncio.sleep(RETURN_S)
                for worker in self._workers.values():
                    worker.asked, worker.misses = False, 0
            try:
                generation = self._bus.generation
                for instance, worker in list(self._workers.items()):
                    if worker.asked:  # nothing came back: it is there
                        worker.seen, worker.misses = True, 0
                    worker.asked = True
                    await self._bus.publish(alive_subject(instance), b"", reply=f"{self._inbox}.{instance}")
            except BusError:
                continue  # what is not asked is not missed

    def _on_note(self, message: Message) -> None:
        instance = message.subject.rpartition(".")[2]
        worker = self._workers.get(instance)
        if worker is None or message.status != "503":
            return
        now = time.monotonic()
        if worker.misses == 0:
            worker.missing_since = now
        worker.asked = False
        worker.misses += 1
        patience_s = min(PATIENCE_S, LATENESSES * self._late_s)
        if worker.misses < MISSES or now - worker.missing_since < patience_s:
            return
        del self._workers[instance]
        if worker.seen:  # else it may only not be allowed to listen
            log.warning("a worker is gone", instance=instance)
            workers_gone.inc()
            self._on_gone(instance)
