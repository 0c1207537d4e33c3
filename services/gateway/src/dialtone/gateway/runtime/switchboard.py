"""The calls of this gateway: admission, ownership of sessions, and their connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from starlette.websockets import WebSocket

from dialtone.bus import Bus, BusError
from dialtone.gateway.core.call import Call, CoreEvent
from dialtone.gateway.core.client_events import ClientEvent, Disconnected
from dialtone.gateway.core.context import ASR, LLM, MOSHI, TTS, Limits
from dialtone.gateway.core.effects import Close, Displaced, GoAway, TenantSpent, WorkerGone
from dialtone.gateway.core.items import SessionRecord
from dialtone.gateway.core.recording import Beginning, RecordedCall
from dialtone.gateway.dialects import Dialect
from dialtone.gateway.dialects.realtime_socket import RealtimeSocket
from dialtone.gateway.ids import new_id
from dialtone.gateway.runtime import metrics
from dialtone.gateway.runtime.call_files import CallFile, CallFiles
from dialtone.gateway.runtime.call_runner import CallRunner
from dialtone.gateway.runtime.claim_keeper import ClaimKeeper
from dialtone.gateway.runtime.expulsions import key_withdrawn, session_deleted
from dialtone.gateway.runtime.line import Line
from dialtone.gateway.runtime.manners import Limits as MannersLimits
from dialtone.gateway.runtime.manners import Manners
from dialtone.gateway.runtime.outbound import Frame, Outbound
from dialtone.gateway.runtime.ownership import Ownership
from dialtone.gateway.runtime.tenant_tokens import TenantTokens
from dialtone.gateway.runtime.worker_watch import WorkerWatch
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import CallRegistry, Claim, SessionStore
from dialtone.telemetry import bind_call, get_logger

log = get_logger(__name__)

POLICY_VIOLATION = 1008
FAREWELL_S = 6.0  # that calls may take to part from their clients and to store what was said, when all end


class GatewayFull(Exception):
    """The gateway has as many calls as it may."""


class GatewayDraining(Exception):
    """The gateway is about to stop."""


@dataclass(slots=True)
class LiveCall:
    session: tuple[str, str]  # tenant, session id
    epoch: int  # of its claim
    runner: CallRunner
    admitted: Callable[[], bool]  # whether what it was opened with still counts


class Switchboard:
    """Opens calls and knows those that are open. `claims.run` keeps their ownership alive."""

    def __init__(
        self, settings: GatewaySettings, bus: Bus, store: SessionStore, registry: CallRegistry
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._store = store
        self.owners = Ownership(settings, bus, store, registry, leave=self._leave)
        self.workers = WorkerWatch(bus, self._worker_gone)
        self._calls: dict[str, LiveCall] = {}
        self.claims = ClaimKeeper(
            registry,
            self.owners,
            claims=self._claims,
            holds=self._calls.__contains__,
            displaced=lambda call_id: self._leave(call_id, False),
        )
        # Calls that have claimed their session, and how they are to end as soon as they have begun.
        self._beginning: dict[str, CoreEvent | None] = {}
        self._places_taken = 0
        metrics.max_calls.set(settings.max_calls)
        self._connected = 0  # calls, from before they begin until their sockets are closed
        self._all_over = asyncio.Event()
        self._stop_at: float | None = None  # monotonic; while it is None, calls are taken
        folder = settings.record_calls_dir
        self._recordings = CallFiles(folder, settings.record_calls_max_bytes) if folder else None
        self._tokens = TenantTokens(settings.tenant_tokens_per_minute)
        self._manners = MannersLimits(settings.wrong_messages_per_minute, settings.call_idle_s)
        self._limits = Limits(
            claim_s={
                ASR: settings.work_claim_timeout_asr_s,
                LLM: settings.work_claim_timeout_llm_s,
                TTS: settings.work_claim_timeout_tts_s,
                MOSHI: settings.work_claim_timeout_moshi_s,
            },
            moshi_warm_us=round(settings.moshi_warm_s * 1e6),
            broker_away_s=settings.bus_away_s,
            candidate_pause_ms=settings.candidate_pause_ms,
            interrupt_min_speech_ms=settings.interrupt_min_speech_ms,
            interrupt_min_words=settings.interrupt_min_words,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
            audio_at_once_s=settings.audio_at_once_s,
            conversation_items=settings.conversation_items,
            conversation_bytes=settings.conversation_bytes,
            instructions=settings.default_instructions,
            instructions_zh=settings.chinese_instructions,
        )

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for one call, from its handshake to its end. Raises GatewayFull, GatewayDraining."""
        if self.draining:
            raise GatewayDraining
        if self._places_taken >= self._settings.max_calls:
            raise GatewayFull
        self._places_taken += 1
        try:
            yield
        finally:
            self._places_taken -= 1

    async def connect(
        self,
        socket: WebSocket,
        dialect: Dialect,
        session: tuple[str, str],
        find: Callable[[], Awaitable[SessionRecord]],
        *,
        accept: Callable[[], Awaitable[None]],
        longest_s: float,
        resumed: bool,
        admitted: Callable[[], bool],
        locked: tuple[str, ...] = (),
        first: ClientEvent | None = None,
    ) -> None:
        """Hold a call of this session (tenant, id) on the socket to its end, `longest_s` at most.

        `find` gets the session, when no other call writes to it any more (`resumed`: one may have so far);
        `accept` is called when nothing stands in the way; `admitted` says whether what the client showed
        at the door still counts; `locked` are session fields that it may not change. Raises SessionBusy,
        GatewayDraining, StoreUnavailable or BusError before that.
        """
        if self.draining:
            raise GatewayDraining
        self._connected += 1
        try:
            limits = replace(self._limits, session_s=longest_s, locked=locked)
            await self._connect(socket, dialect, session, find, accept, limits, resumed, admitted, first)
        finally:
            self._connected -= 1
            if self._connected == 0:
                self._all_over.set()

    async def _connect(
        self,
        socket: WebSocket,
        dialect: Dialect,
        session: tuple[str, str],
        find: Callable[[], Awaitable[SessionRecord]],
        accept: Callable[[], Awaitable[None]],
        limits: Limits,
        resumed: bool,
        admitted: Callable[[], bool],
        first: ClientEvent | None,
    ) -> None:
        if not self._bus.connected:
            raise BusError("not connected to the broker")
        call_id = new_id("call")
        self._beginning[call_id] = None
        try:
            epoch = await self.owners.take(session, call_id, resumed=resumed)
            record = await find()
            await accept()
            with bind_call(call_id=call_id, session_id=record.id):
                line, close = await self._hold(
                    socket, dialect, record, call_id, epoch, limits, admitted, first
                )
        finally:
            self._beginning.pop(call_id, None)
            await self.owners.release(session, call_id)
        # The session is free by now: its client may call again while this one still takes its leave.
        try:
            await line.hang_up(close)
        finally:
            line.drop()

    def _leave(self, call_id: str, deleted: bool) -> None:
        """Another call is to have this call's session, or nobody."""
        why = session_deleted() if deleted else Displaced()
        if call_id in self._calls:
            self._calls[call_id].runner.put(why)
        elif call_id in self._beginning:
            self._beginning[call_id] = why

    def _worker_gone(self, instance: str) -> None:
        for live in self._calls.values():
            live.runner.put(WorkerGone(instance))

    def _used(self, tenant: str, tokens: int) -> None:
        self._tokens.use(tenant, tokens)
        if tokens and (spent_for_s := self._tokens.spent_for(tenant)) > 0:
            for live in self._calls.values():
                if live.session[0] == tenant:
                    live.runner.put(TenantSpent(spent_for_s))

    async def _hold(
        self,
        socket: WebSocket,
        dialect: Dialect,
        record: SessionRecord,
        call_id: str,
        epoch: int,
        limits: Limits,
        admitted: Callable[[], bool],
        first: ClientEvent | None,
    ) -> tuple[Line, Close | None]:
        """Run the call; its line, which is still up, and how to close it."""
        settings = self._settings

        async def send(frame: Frame) -> None:
            key = "text" if isinstance(frame, str) else "bytes"
            await socket.send({"type": "websocket.send", key: frame})

        outbound = Outbound(
            send,
            limit_bytes=settings.outbound_buffer_bytes,
            send_timeout_s=settings.send_timeout_s,
            on_stalled=lambda: runner.put(Disconnected()),
        )
        call, recording = self._make_call(dialect, record, call_id, limits)
        runner = CallRunner(
            call,
            call_id=call_id,
            tenant=record.tenant,
            session_id=record.id,
            epoch=epoch,
            inherited=frozenset(item.id for item in record.items),
            bus=self._bus,
            pool=settings.pool,
            store=self._store,
            dialect=dialect,
            outbound=outbound,
            on_claim=self.workers.heard_of,
            on_used=lambda tokens: self._used(record.tenant, tokens),
        )
        self._calls[call_id] = LiveCall((record.tenant, record.id), epoch, runner, admitted)
        metrics.active_calls.labels(dialect.name).inc()
        log.info("call opened", dialect=dialect.name)
        if first is not None:
            runner.put(first)
        if (why := self._beginning.pop(call_id)) is not None:
            runner.put(why)
        if not admitted():
            runner.put(key_withdrawn())
        if (spent_for_s := self._tokens.spent_for(record.tenant)) > 0:
            runner.put(TenantSpent(spent_for_s))
        if self._stop_at is not None:  # since the handshake began
            runner.put(GoAway(max(0.0, self._stop_at - time.monotonic())))
        manners = Manners(self._manners)
        line = Line(socket, dialect, runner, outbound, manners, close_s=settings.send_timeout_s)
        close, end = None, "error"
        try:
            await runner.run()
            close, end = _ending(runner, outbound)
        except BaseException:
            line.drop()
            raise
        finally:
            del self._calls[call_id]
            metrics.active_calls.labels(dialect.name).dec()
            metrics.calls.labels(dialect.name, end).inc()
            log.info("call closed", end=end)
            if recording is not None:
                await recording.close()
        return line, close

    def _make_call(
        self, dialect: Dialect, record: SessionRecord, call_id: str, limits: Limits
    ) -> tuple[Call, CallFile | None]:
        """A call of this session, and the recording of it where calls are recorded."""
        expires_at = int(time.time() + limits.session_s)
        recording = self._recordings.begin(call_id) if self._recordings else None
        if self._recordings is None or recording is None:
            call = Call(
                call_id=call_id,
                session_id=record.id,
                config=record.config,
                items=record.items,
                new_id=new_id,
                expires_at=expires_at,
                limits=limits,
            )
            return call, None
        beginning = Beginning(
            call_id=call_id,
            session_id=record.id,
            config=record.config,
            items=record.items,
            expires_at=expires_at,
            limits=limits,
            dialect=dialect.name,
            event_prefix=dialect.event_prefix if isinstance(dialect, RealtimeSocket) else "",
            code=self._recordings.code,
        )
        return RecordedCall(beginning, new_id=new_id, write=recording.write), recording

    def expel(self) -> None:
        """End the calls of those who are not admitted any more."""
        for live in self._calls.values():
            if not live.admitted():
                live.runner.put(key_withdrawn())

    async def start(self) -> None:
        """From here on other gateways can ask for sessions of this one's calls. Raises BusError."""
        await self.owners.start()
        await self.workers.start()

    async def stop(self) -> None:
        await self.owners.stop()

    @property
    def draining(self) -> bool:
        """New calls are not taken any more."""
        return self._stop_at is not None

    async def drain(self, grace_s: float) -> None:
        """Take no new calls, and wait until those that are open are over.

        Each ends at its next quiet moment, those that have none within `grace_s` then.
        """
        self._stop_at = time.monotonic() + grace_s
        log.info("draining", calls=len(self._calls), grace_s=grace_s)
        for live in self._calls.values():
            live.runner.put(GoAway(grace_s))
        self._all_over.clear()
        if self._connected == 0:
            return
        try:
            async with asyncio.timeout(grace_s + FAREWELL_S):
                await self._all_over.wait()
        except TimeoutError:
            log.warning("calls did not end in time", calls=self._connected)

    def _claims(self) -> list[Claim]:
        return [Claim(*live.session, call_id, live.epoch) for call_id, live in self._calls.items()]


def _ending(runner: CallRunner, outbound: Outbound) -> tuple[Close | None, str]:
    """How the socket of a call that is over is closed, and the name of the end for the books."""
    if outbound.stalled:
        metrics.stalled_clients.inc()
        return Close(POLICY_VIOLATION, "client does not read"), "stalled"
    if runner.close is None:
        return None, "client_gone"
    return runner.close, f"closed_{runner.close.code}"
