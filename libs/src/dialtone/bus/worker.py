"""A worker of a stage: pulls work for its free slots, keeps its leases alive, and leaves in good order."""

import asyncio
import secrets
import time
from collections.abc import Callable

from dialtone.bus.connection import Bus, Message
from dialtone.bus.delivery import Delivery
from dialtone.bus.errors import BusUnavailable
from dialtone.bus.holding import Ending, Holding, Terms
from dialtone.bus.lease import Handler
from dialtone.bus.pull import Puller
from dialtone.bus.subjects import Stage, alive_subject
from dialtone.telemetry import get_logger, shown_from_zero
from dialtone.telemetry.metrics import LEASES, REDELIVERIES, WORK_IN_PROGRESS, WORK_SLOTS

_BEATS_PER_ACK_WAIT = 4
HANDBACK_S = 2.0
"""For work that did not end within the grace to be handed back."""
log = get_logger(__name__)


class LeaseWorker:
    """Runs `handler` for each piece of work of a stage's pool, at most `slots` at a time.

    It pulls only while it is `able` to work, which it looks at again every second.
    """

    def __init__(
        self,
        bus: Bus,
        stage: Stage,
        handler: Handler,
        *,
        slots: int,
        pool: str = "default",
        worker_id: str,
        drain_grace: float = 10.0,
        able: Callable[[], bool] = lambda: True,
    ) -> None:
        if slots < 1:
            raise ValueError("a worker needs at least one slot")
        self._bus = bus
        self._stage = stage
        self._slots = slots
        self._drain_grace = drain_grace
        self._leaving = False
        self._draining = asyncio.Event()
        self._stopped = asyncio.Event()
        self._terms = Terms(bus, stage, handler, worker_id, secrets.token_hex(8), self._draining)
        self._listening = False
        self._held: dict[Holding, asyncio.Task[None]] = {}
        self._able = able
        self._puller = Puller(bus, stage, pool, free=self._free, on_work=self._on_work)
        self._beats: dict[bytes, tuple[float, list[Holding]]] = {}

    @property
    def active(self) -> int:
        """Leases held now, claims in progress included."""
        return len(self._held)

    async def run(self) -> None:
        """Work until `stop` has been called and has drained."""
        pulling = asyncio.create_task(self._puller.run())
        beating = asyncio.create_task(self._keep_alive())
        stopped = asyncio.create_task(self._stopped.wait())
        WORK_SLOTS.labels(self._stage).inc(self._slots)
        shown_from_zero(WORK_IN_PROGRESS, self._stage)
        shown_from_zero(REDELIVERIES, self._stage)
        shown_from_zero(LEASES, *((self._stage, ending) for ending in Ending))
        try:
            done, _ = await asyncio.wait({pulling, beating, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if stopped not in done and pulling in done and self._leaving:
                await stopped
            for task in done:
                await task
        finally:
            WORK_SLOTS.labels(self._stage).dec(self._slots)
            for task in (pulling, beating, stopped, *self._held.values()):
                task.cancel()
            await asyncio.gather(pulling, beating, stopped, *self._held.values(), return_exceptions=True)

    async def stop(self) -> None:
        """Drain: pull no more, hand legs over, let short work finish, hand back what is left."""
        log.info("draining", stage=self._stage, held=len(self._held))
        self._leaving = True
        await self._puller.stop()  # first, or what is handed back would be delivered to this worker again
        self._draining.set()
        for holding in list(self._held):
            holding.wake()
        await self._wait_for_held(self._drain_grace)
        if self._held:
            log.warning("work did not finish in time", stage=self._stage, held=len(self._held))
            for holding in list(self._held):
                holding.hand_back()
            await self._wait_for_held(HANDBACK_S)
        self._stopped.set()

    async def _wait_for_held(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._held and (left := deadline - time.monotonic()) > 0:
            await asyncio.wait(set(self._held.values()), timeout=left)

    def _free(self) -> int:
        return self._slots - len(self._held) if self._able() else 0

    def _on_work(self, message: Message) -> None:
        delivery = Delivery.of(self._bus, message)
        if delivery.count > 1:
            REDELIVERIES.labels(self._stage).inc()
        holding = Holding(self._terms, delivery)
        task = asyncio.create_task(self._hold(holding, delivery))
        self._held[holding] = task

    async def _hold(self, holding: Holding, delivery: Delivery) -> None:
        WORK_IN_PROGRESS.labels(self._stage).inc()
        try:
            if self._leaving:
                await self._puller.stop()
                await delivery.nak()
            elif len(self._held) > self._slots:
                await delivery.nak()
            else:
                await holding.run()
        except BusUnavailable:
            log.warning("could not hand work back", stage=self._stage)
        finally:
            WORK_IN_PROGRESS.labels(self._stage).dec()
            del self._held[holding]
            self._puller.wake()

    # --- heartbeats

    async def _keep_alive(self) -> None:
        """Tell the broker several times per ack wait that work goes on, and notice when it cannot hear.

        Each round ends with a message to ourselves. When it comes back, the broker has taken the
        heartbeats sent before it; when that was longer than the ack wait ago (the broker is away, or
        this process was frozen), the leases may be with others, and are let go without a word.
        """
        period = self._bus.settings.lease_ack_wait_s / _BEATS_PER_ACK_WAIT
        echo = self._bus.new_inbox()
        number = 0
        while True:
            for holding in self._held:
                if holding.beating and not holding.owned:
                    holding.lose()
            try:
                if not self._listening:
                    await self._bus.subscribe(echo, self._on_echo)
                    await self._bus.subscribe(alive_subject(self._terms.instance), lambda _message: None)
                    self._listening = True
                    self._puller.wake()
                number += 1
                await self._beat(echo, b"%d" % number)
            except BusUnavailable:
                self._beats.clear()
            await asyncio.sleep(period)

    async def _beat(self, echo: str, name: bytes) -> None:
        beating = [holding for holding in self._held if holding.beating]
        if not beating:
            return
        while len(self._beats) > 2 * _BEATS_PER_ACK_WAIT:
            del self._beats[next(iter(self._beats))]
        self._beats[name] = (time.monotonic(), beating)
        for holding in beating:
            await holding.beat()
        await self._bus.publish(echo, name)

    def _on_echo(self, message: Message) -> None:
        beat = self._beats.pop(message.data, None)
        if beat is not None:
            sent_at, holdings = beat
            for holding in holdings:
                holding.proven_at = max(holding.proven_at, sent_at)
