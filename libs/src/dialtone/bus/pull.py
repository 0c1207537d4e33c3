"""Pulls work: asks the consumer for at least half as many messages as there are free slots, and no more.

nats-py has no such loop (its `fetch` waits for a batch); this one speaks the JetStream protocol itself.
A pull stays open until it is served or expires, so that work goes out the moment it is queued. At rest there
are two, which expire in turn: over a long way one that has expired is missing at the broker until its
successor has arrived there.
"""

import asyncio
import json
import time
from collections.abc import Callable

from dialtone.bus.connection import Bus, Message, Subscription
from dialtone.bus.errors import BusError, BusUnavailable
from dialtone.bus.subjects import Stage, consumer_name, stream_name
from dialtone.telemetry import get_logger

# Shorter than the ack wait: by the time that the work of a frozen worker is delivered again, its own pulls
# have run out, and the work does not go to it once more.
_EXPIRES_S = 0.5
_OVERDUE_S = _EXPIRES_S + 1.0  # an answer that should have come by now is lost
_RETRY_S = (0.1, 2.0)  # first, longest
_LOOK_EVERY_S = 1.0
_DRAIN_S = 2.0
_STOP_S = 3.0
_EXPIRED = "408"
log = get_logger(__name__)


class _Pull:
    """One open request for `left` messages. Each has a subscription of its own: a delivery bears the
    subject that the work was queued on, not the one that it was asked for with."""

    def __init__(self, left: int, on_work: Callable[[Message], None], on_change: Callable[[], None]) -> None:
        self.left = left
        self._opened_at = time.monotonic()
        self.refused = ""
        self.subscription: Subscription | None = None
        self._got: set[str] = set()
        self._on_work = on_work
        self._on_change = on_change

    @property
    def over(self) -> bool:
        return self.left <= 0 or self.age > _OVERDUE_S

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return time.monotonic() - self._opened_at

    def on_message(self, message: Message) -> None:
        if message.status:
            self.left = 0
            if message.status != _EXPIRED:
                self.refused = message.status  # the consumer is gone, moved, or takes no more pulls
        elif message.reply not in self._got:  # a delivery that comes twice is one
            self._got.add(message.reply)
            self.left -= 1
            self._on_work(message)
        if self.left <= 0:
            self._on_change()


class Puller:
    """Keeps pulls open for `free()` messages or nearly so, and hands each to `on_work`."""

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
        self._pulls: list[_Pull] = []
        self._news = asyncio.Event()
        self._stopping = False
        self._ended = asyncio.get_running_loop().create_future()

    def wake(self) -> None:
        """Look again: a slot was freed, or the connection changed."""
        self._news.set()

    async def stop(self) -> None:
        """Have `run` return, and wait until no pull is open, `_STOP_S` at most.

        What the broker has sent by then still goes to `on_work`.
        """
        self._stopping = True
        self._news.set()
        await asyncio.wait({self._ended}, timeout=_STOP_S)

    async def run(self) -> None:
        """Pull until `stop`."""
        forget = self._bus.on_change(lambda _connected: self.wake())
        delay, longest = _RETRY_S
        try:
            while not self._stopping:
                began = time.monotonic()
                try:
                    await self._pull_on_one_connection()
                except BusError as error:
                    log.warning("cannot pull work", stage=self._stage, error=str(error))
                    delay = min(longest, delay * 2) if time.monotonic() - began < longest else _RETRY_S[0]
                    await asyncio.sleep(delay)
        finally:
            forget()
            if not self._ended.done():
                self._ended.set_result(None)

    async def _pull_on_one_connection(self) -> None:
        if not await self._connected():
            return
        generation = self._bus.generation
        await self._bus.ensure_pool(self._stage, self._pool)
        try:
            while not self._stopping and generation == self._bus.generation:
                self._news.clear()
                for pull in [pull for pull in self._pulls if pull.over]:
                    await self._close(pull)
                    if pull.refused:
                        raise BusUnavailable(f"the work queue does not serve: {pull.refused}")
                free, asked = self._free(), sum(pull.left for pull in self._pulls)
                # Not for each slot by itself: every pull would be made anew twice a second, for ever.
                if asked == 0 and free > 1:
                    await self._open(free // 2)
                    await self._open(free - free // 2)
                elif asked < free and 2 * asked <= free + 1:
                    await self._open(free - asked)
                await self._pause()
        finally:
            # All at once: what comes on one of them and is given back is not to come on the next.
            await asyncio.gather(*map(self._close, list(self._pulls)))

    async def _open(self, wanted: int) -> None:
        # One that would end together with another ends half a time before it.
        beside = any(pull.left > 0 and pull.age < _EXPIRES_S / 4 for pull in self._pulls)
        expires_s = _EXPIRES_S / 2 if beside else _EXPIRES_S
        pull = _Pull(wanted, self._on_work, self.wake)
        inbox = self._bus.new_inbox()
        pull.subscription = await self._bus.subscribe(inbox, pull.on_message)
        self._pulls.append(pull)
        request = json.dumps({"batch": wanted, "expires": round(expires_s * 1e9)}).encode()
        await self._bus.publish(self._next, request, reply=inbox)

    async def _close(self, pull: _Pull) -> None:
        self._pulls.remove(pull)
        if pull.subscription is None:
            return
        if pull.left > 0 and self._bus.connected:
            await pull.subscription.drain(_DRAIN_S)  # something may be on its way
        else:
            await pull.subscription.unsubscribe()

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

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                await self._news.wait()
        except TimeoutError:
            return
