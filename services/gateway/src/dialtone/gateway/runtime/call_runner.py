"""The task that owns a call: it feeds the call core and performs what the core asks for."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from dialtone.bus import Bus, BusError, Message, Overloaded, PayloadTooLarge, Stage
from dialtone.bus.subjects import audio_subject, control_subject, events_subject
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.call import Call, CoreEvent
from dialtone.gateway.core.client_events import AppendAudio
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.dialects import Dialect
from dialtone.gateway.runtime.changes import Changes
from dialtone.gateway.runtime.metrics import observe_turn, responses, unqueued_work, unsent_inputs
from dialtone.gateway.runtime.outbound import Outbound
from dialtone.gateway.runtime.turn_spans import trace_turn
from dialtone.gateway.stores import SessionStore
from dialtone.telemetry import get_logger
from dialtone.v1.control_pb2 import CallEnded, Cancel, Control
from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.work_pb2 import Work

log = get_logger(__name__)

# Events, bytes of the client's and changes waiting; beyond any of these limits the socket is not read.
# A call that takes nothing in makes no new changes, so that its store cannot hold up what its workers say.
INBOX_LIMIT = 512
INBOX_BYTES = 2**20  # a message that is larger by itself is waited for alone
STORE_LIMIT = 1024
STORE_FLUSH_S = 5.0
DRAIN_S = 1.0
INTERNAL_ERROR, TRY_AGAIN_LATER = 1011, 1013
# What a client takes as its word that something is kept: told when it is.
TELLS_OF_KEPT = (
    out.SessionUpdated,
    out.ItemDone,
    out.ItemDeleted,
    out.ItemTruncated,
    out.TranscriptionCompleted,
    out.OutputItemDone,
    out.ResponseDone,
)


def is_for_client(event: out.ServerEvent, config: SessionConfig) -> bool:
    """Measurements are for the operator, and for those clients that asked."""
    return config.dialtone.turn_metrics or not isinstance(event, out.TurnMetrics)


class CallRunner:
    """Runs one call. `put` and `offer` bring events; `run` returns when the call is over."""

    def __init__(
        self,
        call: Call,
        *,
        call_id: str,
        tenant: str,
        session_id: str,
        epoch: int,
        inherited: frozenset[str],
        bus: Bus,
        pool: str,
        store: SessionStore,
        dialect: Dialect,
        outbound: Outbound,
        on_claim: Callable[[str], None],
        on_used: Callable[[int], None],
    ) -> None:
        """`inherited`: the ids of the items that the session had before. `on_claim` is told the instance of
        each worker that claims work of the call, `on_used` the tokens of each response that is over."""
        self._call = call
        self._call_id = call_id
        self._tenant = tenant
        self._session_id = session_id
        self._epoch = epoch  # of the claim of the session
        self._inherited = inherited
        self._bus = bus
        self._pool = pool
        self._store = store
        self._dialect = dialect
        self._outbound = outbound
        self._on_claim = on_claim
        self._on_used = on_used
        self._inbox: deque[tuple[CoreEvent, int]] = deque([(do.Opened(), 0)])
        self._inbox_bytes = 0
        self._wake: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._changes = Changes(on_refused=self.put, on_done=self._change_done)
        self._submits: set[asyncio.Task[None]] = set()
        self._audio_subject = audio_subject(call_id)
        self._control_subject = control_subject(call_id)
        self._over = False
        self.close: do.Close | None = None  # how the socket is to be closed, unless the client is gone

    # --- events come in ---

    def put(self, event: CoreEvent) -> None:
        """Hand an event to the call; from the event loop's thread, never waits."""
        self._put(event, 0)

    async def offer(self, event: CoreEvent, size: int) -> None:
        """Hand over an event that the client sent in `size` bytes, waiting while too much waits already."""
        while not self._over and self._must_wait(event, size):
            self._room.clear()
            await self._room.wait()
        self._put(event, size)

    def _put(self, event: CoreEvent, size: int) -> None:
        if self._over:
            return
        self._inbox.append((event, size))
        self._inbox_bytes += size
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _must_wait(self, event: CoreEvent, size: int) -> bool:
        if len(self._inbox) >= INBOX_LIMIT or len(self._changes) >= STORE_LIMIT:
            return True
        if self._inbox_bytes and self._inbox_bytes + size > INBOX_BYTES:
            return True
        # Audio waits for the ears, and nothing else does.
        return self._call.input_full and isinstance(event, AppendAudio)

    def _change_done(self) -> None:
        if len(self._changes) < STORE_LIMIT:
            self._room.set()

    def _on_worker_message(self, message: Message) -> None:
        event = WorkerEvent()
        try:
            event.ParseFromString(message.data)
        except Exception as error:  # noqa: BLE001  (the decoder's error type is not public)
            log.warning("unreadable worker event", subject=message.subject, error=str(error))
            return
        if event.HasField("claim"):
            self._on_claim(event.claim.instance)
        self.put(do.WorkerFrame(event, message.reply))

    # --- the task ---

    async def run(self) -> None:
        """Run the call to its end, whatever happens in it; `close` says how to part."""
        forget = self._bus.on_change(lambda connected: self.put(do.BrokerSeen(connected)))
        try:
            await self._run()
        finally:
            forget()

    async def _run(self) -> None:
        try:
            subscription = await self._bus.subscribe(events_subject(self._call_id), self._on_worker_message)
        except BusError as error:
            log.warning("the call cannot begin", error=str(error))
            self.close = do.Close(TRY_AGAIN_LATER, "the service is not available")
            return
        storing = asyncio.create_task(self._changes.run())
        try:
            while not self._call.closed:
                await self._step()
        except Exception:
            log.exception("the call broke")
            self.close = do.Close(INTERNAL_ERROR, "internal error")
        finally:
            await subscription.drain(DRAIN_S)  # a claim sent after this meets nobody: the call is over
            await self._release(storing)

    async def _step(self) -> None:
        if not self._inbox:
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
            self._wake = None
        while self._inbox and not self._call.closed:
            event, size = self._inbox.popleft()
            for effect in self._call.handle(event, time.monotonic()):
                await self._perform(effect)
            self._inbox_bytes -= size
            if len(self._inbox) < INBOX_LIMIT:
                self._room.set()
        self._set_timer()

    def _set_timer(self) -> None:
        deadline = self._call.deadline
        if deadline == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, deadline
        if deadline is not None:
            delay = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer_at = None
        self.put(do.Tick())

    async def _perform(self, effect: do.Effect) -> None:
        match effect:
            case do.SendInput(frame):
                await self._publish_input(frame.SerializeToString())
            case do.Send(event):
                self._send(event)
            case do.Submit(stage, work):
                task = asyncio.create_task(self._submit(Stage(stage), work))
                self._submits.add(task)
                task.add_done_callback(self._submits.discard)
            case do.Answer(reply, grant):
                with suppress(BusError):  # the worker asks again, or its lease runs out
                    await self._bus.publish(reply, grant.SerializeToString())
            case do.Cancel(lease_ids):
                await self._control(Control(cancel=Cancel(lease_ids=lease_ids)))
            case do.PutItem(item, after):
                self._changes.add(
                    lambda: self._store.put_item(
                        self._tenant, self._session_id, item, after, epoch=self._epoch
                    )
                )
            case do.RemoveItem(item_id):
                self._changes.add(
                    lambda: self._store.delete_item(
                        self._tenant,
                        self._session_id,
                        item_id,
                        epoch=self._epoch,
                        inherited=item_id in self._inherited,
                    )
                )
            case do.PutConfig(config):
                self._changes.add(
                    lambda: self._store.put_config(self._tenant, self._session_id, config, epoch=self._epoch)
                )
            case do.TurnOver():
                responses.labels(effect.status, effect.failure).inc()
                trace_turn(effect, call_id=self._call_id, session_id=self._session_id)
            case do.Close():
                self.close = effect

    def _send(self, event: out.ServerEvent) -> None:
        if isinstance(event, out.TurnMetrics):
            observe_turn(event.metrics)
        if isinstance(event, out.ResponseDone) and event.response.usage is not None:
            self._on_used(event.response.usage.total_tokens)
        if not is_for_client(event, self._call.config):
            return
        stored = self._changes.stored() if isinstance(event, TELLS_OF_KEPT) else None
        if stored is not None and isinstance(event, out.TranscriptionCompleted):
            # By the protocol it may come after what the answer begins with, and that is not to wait.
            stored.add_done_callback(lambda _: self._tell(event))
        else:
            self._tell(event, after=stored)

    def _tell(self, event: out.ServerEvent, *, after: asyncio.Future[None] | None = None) -> None:
        for frame in self._dialect.encode(event):
            self._outbound.put(frame, after=after, urgent=isinstance(event, out.OutputAudioDelta))

    async def _publish_input(self, payload: bytes) -> None:
        await self._bus.wait_room()  # a recording sent at once is many of these
        try:
            await self._bus.publish(self._audio_subject, payload)
        except BusError:
            # The call keeps it: ears that miss it ask for it again.
            unsent_inputs.inc()

    async def _submit(self, stage: Stage, work: Work) -> None:
        # The workers of a variant of Moshi are a pool, for each serves one.
        pool = work.moshi.model if stage is Stage.MOSHI else self._pool
        try:
            await self._bus.submit(stage, pool, work)
        except BusError as error:
            # The client is told which of these it is, and nothing of what is behind it.
            log.warning("work was not submitted", stage=stage, error=str(error))
            code, message = _why_not(error)
            unqueued_work.labels(code).inc()
            self.put(do.SubmitFailed(work.lease_id, code, message))

    async def _control(self, control: Control) -> None:
        try:
            await self._bus.publish(self._control_subject, control.SerializeToString())
        except BusError as error:  # what they say is dropped; legs see for themselves that a call is over
            log.warning("workers were not told to stop", error=str(error))

    # --- the end ---

    async def _release(self, storing: asyncio.Task[None]) -> None:
        """Give up everything that the call holds."""
        self._over = True
        self._room.set()
        if self._timer is not None:
            self._timer.cancel()
        try:
            for task in list(self._submits):
                task.cancel()
            await self._refuse_claims()
            await self._control(Control(ended=CallEnded()))
            await self._changes.flush(within_s=STORE_FLUSH_S)
        finally:
            storing.cancel()

    async def _refuse_claims(self) -> None:
        """Those that came before the end was known, and would wait for their answer."""
        while self._call.closed and self._inbox:
            for effect in self._call.handle(self._inbox.popleft()[0], time.monotonic()):
                await self._perform(effect)


def _why_not(error: BusError) -> tuple[str, str]:
    """The code and the message, for the client, of work that could not be submitted."""
    if isinstance(error, Overloaded):
        return "overloaded", "Too much work is waiting already."
    if isinstance(error, PayloadTooLarge):
        return "work_too_large", "This is more than can be worked on at once."
    return "bus_unavailable", "The service is not available, try again later."
