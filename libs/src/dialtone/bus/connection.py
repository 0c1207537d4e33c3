"""The connection to the broker.

A thin layer over nats-py with its traps closed: nothing is buffered while the broker is away (a
publish fails at once instead of being lost silently), the client never stops reconnecting, what waits
to be written is bounded, a dead connection is noticed within seconds, and streams and consumers are
made again when a broker comes back without them.
"""

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from dialtone.bus import streams
from dialtone.bus.bounded_client import BoundedClient
from dialtone.bus.errors import BusError, BusUnavailable, translated
from dialtone.bus.subjects import Stage
from dialtone.bus.unqueued import UnqueuedWork
from dialtone.settings import BusSettings
from dialtone.telemetry import get_logger
from dialtone.telemetry.metrics import BUS_CONNECTED, BUS_ERRORS, BUS_RECONNECTS, BUS_UNSENT
from dialtone.v1.work_pb2 import Work

_LOG_EVERY_S = 5.0
_GIVE_UP_S = 1.0
_PING_S = 0.7
_ROOM_POLL_S = 0.001
_PENDING_MSGS = 16_384
_PENDING_BYTES = 8 * 2**20
log = get_logger(__name__)


@dataclass(slots=True)
class Message:
    """A message as received.

    `reply` is where an answer goes, empty if none is expected. `status` is set on the broker's own
    notes: "503" says that nobody listened on the subject that this message's inbox was the reply of.
    """

    subject: str
    data: bytes
    reply: str
    status: str = ""


class Subscription:
    """Interest in a subject, until `unsubscribe`."""

    def __init__(self, nc: Client, subscription: NatsSubscription) -> None:
        self._nc = nc
        self._subscription = subscription
        self._draining: asyncio.Task[None] | None = None

    async def unsubscribe(self) -> None:
        """End the interest; messages that were not handled yet are discarded. May be called twice."""
        try:
            await self._subscription.unsubscribe()
        except nats.errors.Error:
            return  # ended already, or the connection is closed: there is nothing to end

    async def drain(self, timeout: float) -> None:
        """End the interest after what the broker has sent already was handled, or after `timeout` s."""
        # Never cancelled: nats-py's reader breaks on the late answer to a flush that was given up.
        self._draining = asyncio.create_task(self._drain())
        await asyncio.wait({self._draining}, timeout=timeout)

    async def _drain(self) -> None:
        try:
            # nats-py writes a ping ahead of everything that waits to be written, the UNSUB of its own
            # drain included: the pong would say nothing. So that goes out by itself first.
            await self._nc._send_unsubscribe(self._subscription._id)
            await self._nc._flush_pending(force_flush=True)
            await self._subscription.drain()  # type: ignore[no-untyped-call]
        except nats.errors.Error:
            return  # ended already, or the connection is gone, and with it what was on its way


class Bus:
    """One process's connection to the broker. Made by `Bus.connect`."""

    def __init__(self, settings: BusSettings, name: str) -> None:
        self.settings = settings
        self.name = name
        self.generation = 0
        """Counts the connections made: a change means that messages may have been missed."""
        self._nc = BoundedClient()
        self._closing = False
        self._lost = asyncio.Event()
        self._ready = asyncio.Event()
        self._stages: set[tuple[Stage, str]] = set()
        self._listeners: list[Callable[[bool], None]] = []
        self._restoring: asyncio.Task[None] | None = None
        self._logged_at: dict[str, float] = {}
        self._echo_subject = ""
        self._echo_lock = asyncio.Lock()
        self._echoes: dict[bytes, asyncio.Future[None]] = {}
        self._echo_number = 0
        self._unqueued = UnqueuedWork(self.submit)

    @classmethod
    async def connect(cls, settings: BusSettings, *, name: str) -> Self:
        """Connect, waiting for the broker as long as it takes; bound it with `asyncio.timeout`."""
        bus = cls(settings, name)
        urls = settings.nats_url.split(",")
        options: dict[str, Any] = {}
        if any(urlsplit(url).scheme == "tls" for url in urls):
            # Without the handshake first, a server that merely leaves out tls_required is sent the
            # password in clear.
            options["tls"] = ssl.create_default_context(cafile=settings.nats_ca_file)
            options["tls_handshake_first"] = True
        if settings.nats_user:
            options["user"] = settings.nats_user
            options["password"] = settings.nats_password.get_secret_value()
            # So that a broker can let nobody else read the answers to this one.
            options["inbox_prefix"] = f"_INBOX.{settings.nats_user}"
        try:
            await bus._nc.connect(
                urls,
                name=name,
                error_cb=bus._on_error,
                disconnected_cb=bus._on_disconnect,
                reconnected_cb=bus._on_reconnect,
                closed_cb=bus._on_closed,
                pending_size=0,
                connect_timeout=1,
                max_reconnect_attempts=-1,
                # A connection without an answer is given up after 1.4 to 2.1 s.
                ping_interval=_PING_S,  # type: ignore[arg-type]  # said to be an int, and any number will do
                max_outstanding_pings=2,
                # Spread, so that a broker is not met by everyone in the same instant.
                **options | {"reconnect_time_wait": random.uniform(0.1, 0.2)},
            )
        except BaseException:
            bus._closing = True
            with contextlib.suppress(TimeoutError):  # a half-made TLS connection may never close
                async with asyncio.timeout(_GIVE_UP_S):
                    await bus._nc.close()
            raise
        BUS_UNSENT.set_function(lambda: bus._nc.unsent)
        bus._came_up()
        bus._ready.set()
        log.info("connected to the broker", servers=[urlsplit(url).netloc.rpartition("@")[2] for url in urls])
        return bus

    async def close(self) -> None:
        """Disconnect, after what is still to be written, or a second at most.

        Drain workers first: what they hold is not acknowledged here.
        """
        self._closing = True
        self._ready.clear()
        if self._restoring is not None:
            self._restoring.cancel()
        self._unqueued.close()
        await self._write_out()
        # In a task, because nats-py may come upon a future that its own reconnection has cancelled.
        await asyncio.wait({asyncio.create_task(self._nc.close())}, timeout=_GIVE_UP_S)
        BUS_CONNECTED.set(0)
        BUS_UNSENT.set_function(lambda: 0.0)

    async def _write_out(self) -> None:
        """Wait for what is unsent to go out, then drop it: nats-py waits for a frozen broker for ever."""
        deadline = time.monotonic() + _GIVE_UP_S
        while self.connected and self._nc.unsent:
            if time.monotonic() > deadline:
                log.warning("the broker did not take what was sent last", bytes=self._nc.unsent)
                self._nc.drop_unsent()
                return
            await asyncio.sleep(_ROOM_POLL_S)

    @property
    def connected(self) -> bool:
        """Whether the broker is there, as far as is known."""
        return self._nc.is_connected

    @property
    def stores_work(self) -> bool:
        """Whether the broker, when it is there, stores what is submitted, as far as is known."""
        return not self._unqueued

    async def wait_ready(self) -> None:
        """Wait until the broker is connected and has all streams and consumers that were ensured."""
        await self._ready.wait()

    async def wait_lost(self) -> None:
        """Wait until the broker refused this client for good; the process had better restart."""
        await self._lost.wait()

    def on_change(self, listener: Callable[[bool], None]) -> Callable[[], None]:
        """Have `listener(connected)` called when the connection comes or goes; returns the undoing."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # --- messages

    async def publish(self, subject: str, payload: bytes, *, reply: str = "") -> None:
        """Send a message. BusUnavailable at once when the broker is away; nothing is kept for later."""
        nc = self._nc
        if nc.pending_data_size > self.settings.nats_max_pending_bytes:
            raise BusUnavailable("the broker does not take what is sent")
        try:
            await nc.publish(subject, payload, reply)
        except nats.errors.Error as error:
            raise translated(error) from error

    async def wait_room(self) -> None:
        """Wait while much is still to be written to the broker; for those with a lot to say at once.

        Returns when the broker is lost, too: `publish` says so then.
        """
        most = self.settings.nats_max_pending_bytes // 4
        while self.connected and self._nc.pending_data_size > most:  # noqa: ASYNC110 - nats-py tells nobody
            await asyncio.sleep(_ROOM_POLL_S)

    async def request(self, subject: str, payload: bytes, *, timeout: float) -> bytes:
        """Send a message and wait for the answer.

        Raises NoResponders when nobody listens, TimeoutError after `timeout` s, BusUnavailable.
        """
        try:
            # Not nats-py's own bound, `asyncio.wait_for`: Python 3.11 loses a cancellation in it that comes
            # together with the answer, and whoever was cancelled would go on.
            async with asyncio.timeout(timeout):
                answer = await self._nc.request(subject, payload, timeout=None)  # type: ignore[arg-type]
        except TimeoutError as error:
            raise TimeoutError(f"no answer on {subject} within {timeout} s") from error
        except nats.errors.Error as error:
            raise translated(error) from error
        return answer.data

    async def subscribe(
        self, subject: str, on_message: Callable[[Message], None], *, queue: str = ""
    ) -> Subscription:
        """Have `on_message` called for each message on `subject`, one at a time and in order.

        `on_message` must be quick and must not block: it runs on the event loop, and beyond a bound of
        waiting messages the newest are dropped (and counted as `slow_consumer`). Members of a `queue`
        group share the messages.
        """
        if not self.connected:
            raise BusUnavailable("not connected to the broker")

        async def deliver(msg: Msg) -> None:
            headers = msg.headers
            status = headers.get("Status", "") if headers else ""
            on_message(Message(msg.subject, msg.data, msg.reply, status))

        try:
            subscription = await self._nc.subscribe(
                subject,
                queue=queue,
                cb=deliver,
                pending_msgs_limit=_PENDING_MSGS,
                pending_bytes_limit=_PENDING_BYTES,
            )
        except nats.errors.Error as error:
            raise translated(error) from error
        return Subscription(self._nc, subscription)

    async def round_trip(self, *, timeout: float) -> bool:
        """Whether the broker is known to have taken all that was published before, over this connection.

        A publish says nothing about that: into the socket of a broker that stands still, or is gone, it
        succeeds.
        """
        generation = self.generation
        self._echo_number += 1
        name = b"%d" % self._echo_number
        echo = self._echoes[name] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                async with self._echo_lock:
                    if not self._echo_subject:
                        subject = self.new_inbox()
                        await self.subscribe(subject, self._on_echo)
                        self._echo_subject = subject
                await self.publish(self._echo_subject, name)
                await echo
        except (TimeoutError, BusUnavailable):
            return False
        finally:
            del self._echoes[name]
        return generation == self.generation

    def _on_echo(self, message: Message) -> None:
        echo = self._echoes.get(message.data)
        if echo is not None and not echo.done():
            echo.set_result(None)

    def new_inbox(self) -> str:
        """A subject that nobody else uses."""
        return self._nc.new_inbox()

    # --- work

    async def ensure_stage(self, stage: Stage, pool: str) -> None:
        """Make the stage's stream and the pool's consumer, or bring them to the settings.

        Done again by itself when a broker comes back. Raises BusUnavailable.
        """
        await streams.ensure(self._nc, self.settings, stage, pool)
        self._stages.add((stage, pool))

    async def ensure_pool(self, stage: Stage, pool: str) -> None:
        """Make the pool's consumer, or bring it to the settings. Raises BusUnavailable.

        The stream is to be there. It says which subjects are stored, so that whoever may make one can hear
        every call: workers may not.
        """
        await streams.ensure_consumer(self._nc, self.settings, stage, pool)

    async def submit(self, stage: Stage, pool: str, work: Work) -> None:
        """Queue work; returns when the broker has it.

        Raises Overloaded when the queue is full and BusUnavailable when it is not known to be queued.
        To submit the same lease id and attempt base again is harmless: it is queued once.
        """
        try:
            try:
                await streams.submit(self._nc, stage, pool, work)
            except streams.NoStream:
                await self.ensure_stage(stage, pool)
                await streams.submit(self._nc, stage, pool, work)
        except BusUnavailable:
            if self.connected:
                self._unqueued.add(stage, pool, work)
            raise
        self._unqueued.taken(stage)

    # --- the connection's life

    def _came_up(self) -> None:
        self.generation += 1
        BUS_CONNECTED.set(1)

    async def _on_error(self, error: Exception) -> None:
        kind = "slow_consumer" if isinstance(error, nats.errors.SlowConsumerError) else type(error).__name__
        BUS_ERRORS.labels(kind).inc()
        now = time.monotonic()
        if now - self._logged_at.get(kind, -_LOG_EVERY_S) >= _LOG_EVERY_S:
            self._logged_at[kind] = now
            expected = isinstance(error, nats.errors.Error | OSError)
            trace = None if expected else error  # a subscriber's own mistake
            log.warning("trouble on the bus", kind=kind, error=str(error) or repr(error), exc_info=trace)

    async def _on_disconnect(self) -> None:
        self._ready.clear()
        BUS_CONNECTED.set(0)
        if self._restoring is not None:
            self._restoring.cancel()
        if not self._closing:
            log.warning("connection to the broker lost")
        self._tell(connected=False)

    async def _on_reconnect(self) -> None:
        self._came_up()
        BUS_RECONNECTS.inc()
        log.info("connected to the broker again", stages=len(self._stages))
        self._restoring = asyncio.create_task(self._restore())

    async def _on_closed(self) -> None:
        if not self._closing:
            log.error("the broker closed the connection for good", error=str(self._nc.last_error))
            self._lost.set()

    async def _restore(self) -> None:
        """A broker may come back with nothing in it: make the streams again, then say so."""
        # Side by side: each takes two crossings of a network that may be slow.
        async with asyncio.TaskGroup() as group:
            for stage, pool in self._stages:
                group.create_task(self._restore_stage(stage, pool))
        self._ready.set()
        self._tell(connected=True)

    async def _restore_stage(self, stage: Stage, pool: str) -> None:
        delay = 0.05
        while True:
            try:
                await self.ensure_stage(stage, pool)
                return
            except BusError as error:
                log.warning("cannot restore the work queue yet", stage=stage, error=str(error))
                await asyncio.sleep(delay)
                delay = min(1.0, delay * 2)

    def _tell(self, *, connected: bool) -> None:
        for listener in list(self._listeners):
            listener(connected)
