"""Pulls work: asks the consumer for as many messages as there are free slots, and no more.

nats-py has no such loop (its `fetch` waits for a batch); this one speaks the JetStream protocol itself.
A pull stays open until it is served or expires, so that work goes out the moment it is queued.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from dialtone.bus.connection import Bus, Message
from dialtone.bus.errors import BusError
from dialtone.bus.subjects import Stage, consumer_name, stream_name
from dialtone.telemetry import get_logger

_EXPIRES_S = 5.0
_OVERDUE_S = _EXPIRES_S + 1.0  # an answer that should have come by now is lost
_RETRY_S = 0.1
_STOP_S = 2.0
_CONSUMER_GONE = {"503", "404", "409"}
log = get_logger(__name__)


@dataclass(slots=True)
class _Pull:
    left: int
    overdue_at: float


class Puller:
    """Keeps pulls open for `free()` messages and hands each to `on_work`."""

    def __init__(
        self,
        bus: Bus,
        stage: Stage,
        pool: str,
        *,
        free: Callable[[], int],
        on_work: Callable[[Message], None],
    ) -> None:
        self._bus = bus
        self._stage = stage
        self._pool = pool
        self._free = free
        self._on_work = on_work
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream_name(stage)}.{consumer_name(stage, pool)}"
        self._pulls: dict[str, _Pull] = {}
        self._news = asyncio.Event()
        self._renew = False
        self._stopping = False

    def wake(self) -> None:
        """Look again: a slot was freed, or the connection changed."""
        self._news.set()

    def stop(self) -> None:
        """Have `run` return. What the broker has sent by then still goes to `on_work`."""
        self._stopping = True
        self._news.set()

    async def run(self) -> None:
        """Pull until `stop`."""
        forget = self._bus.on_change(lambda _connected: self.wake())
        try:
            while not self._stopping:
                try:
                    await self._pull_on_one_connection()
                except BusError as error:
                    log.warning("cannot pull work", stage=self._stage, error=str(error))
                    await self._pause(_RETRY_S)
        finally:
            forget()

    async def _pull_on_one_connection(self) -> None:
        if not await self._connected():
            return
        generation = self._bus.generation
        await self._bus.ensure_stage(self._stage, self._pool)
        self._pulls.clear()
        self._renew = False
        inbox = self._bus.new_inbox()
        subscription = await self._bus.subscribe(f"{inbox}.*", self._on_message)
        try:
            number = 0
            while not (self._stopping or self._renew or generation != self._bus.generation):
                self._news.clear()
                now = time.monotonic()
                for name in [name for name, pull in self._pulls.items() if pull.overdue_at < now]:
                    del self._pulls[name]
                wanted = self._free() - sum(pull.left for pull in self._pulls.values())
                if wanted > 0:
                    number += 1
                    self._pulls[str(number)] = _Pull(wanted, now + _OVERDUE_S)
                    request = json.dumps({"batch": wanted, "expires": round(_EXPIRES_S * 1e9)}).encode()
                    await self._bus.publish(self._next, request, reply=f"{inbox}.{number}")
                await self._pause(1.0)
        finally:
            if self._stopping:
                await subscription.drain(_STOP_S)
            else:
                await subscription.unsubscribe()
        if self._renew and not self._stopping:
            await self._pause(_RETRY_S)

    async def _connected(self) -> bool:
        """Wait for the broker; False if told to stop meanwhile."""
        ready = asyncio.ensure_future(self._bus.wait_ready())
        try:
            while not self._stopping and not ready.done():
                self._news.clear()
                news = asyncio.ensure_future(self._news.wait())
                await asyncio.wait({ready, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
            return not self._stopping
        finally:
            ready.cancel()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    def _on_message(self, message: Message) -> None:
        name = message.subject.rpartition(".")[2]
        pull = self._pulls.get(name)
        if message.status:
            # 408: expired. Anything else: the consumer is gone, moved or refuses; make sure of it anew.
            self._pulls.pop(name, None)
            if message.status in _CONSUMER_GONE:
                self._renew = True
            self._news.set()
            return
        if pull is not None:
            pull.left -= 1
            if pull.left == 0:
                del self._pulls[name]
        self._on_work(message)
