"""The calls of this gateway: admission, ownership of sessions, and their connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from dialtone.bus import Bus, BusError
from dialtone.gateway.core.call import Call
from dialtone.gateway.core.client_events import ClientEvent, Disconnected
from dialtone.gateway.core.context import ASR, LLM, TTS, Limits
from dialtone.gateway.core.items import SessionRecord
from dialtone.gateway.dialects import Dialect
from dialtone.gateway.ids import new_id
from dialtone.gateway.runtime import metrics
from dialtone.gateway.runtime.call_runner import CallRunner
from dialtone.gateway.runtime.outbound import Frame, Outbound
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import CallRegistry, SessionStore, StoreUnavailable
from dialtone.telemetry import bind_call, get_logger

log = get_logger(__name__)

POLICY_VIOLATION, TRY_AGAIN_LATER, INTERNAL_ERROR = 1008, 1013, 1011


class SessionBusy(Exception):
    """The session has a live call already."""


class GatewayFull(Exception):
    """The gateway has as many calls as it may."""


@dataclass(slots=True)
class LiveCall:
    session: tuple[str, str]  # tenant, session id
    runner: CallRunner


class Switchboard:
    """Opens calls and knows those that are open. `run` keeps their ownership alive."""

    def __init__(
        self, settings: GatewaySettings, bus: Bus, store: SessionStore, registry: CallRegistry
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._store = store
        self._registry = registry
        self._gateway_id = new_id("gateway")
        self._calls: dict[str, LiveCall] = {}
        self._opening = 0
        self._limits = Limits(
            claim_s={
                ASR: settings.work_claim_timeout_asr_s,
                LLM: settings.work_claim_timeout_llm_s,
                TTS: settings.work_claim_timeout_tts_s,
            },
            session_s=settings.call_max_s,
            candidate_pause_ms=settings.candidate_pause_ms,
            default_instructions=settings.default_instructions,
        )

    @property
    def full(self) -> bool:
        return len(self._calls) + self._opening >= self._settings.max_calls

    async def connect(
        self,
        socket: WebSocket,
        dialect: Dialect,
        tenant: str,
        find: Callable[[], Awaitable[SessionRecord]],
        *,
        accept: Callable[[], Awaitable[None]],
        first: ClientEvent | None = None,
    ) -> None:
        """Hold a call on this socket to its end.

        `find` gives the session; `accept` is called when nothing stands in the way any more. Raises
        GatewayFull, SessionBusy, StoreUnavailable or BusError before that.
        """
        if self.full:
            raise GatewayFull
        if not self._bus.connected:
            raise BusError("not connected to the broker")
        self._opening += 1
        call_id = new_id("call")
        try:
            record = await find()
            if not await self._claim(tenant, record.id, call_id):
                raise SessionBusy
        finally:
            self._opening -= 1
        try:
            await accept()
            with bind_call(call_id=call_id, session_id=record.id):
                await self._hold(socket, dialect, tenant, record, call_id, first)
        finally:
            await self._release(tenant, record.id, call_id)

    async def _claim(self, tenant: str, session_id: str, call_id: str) -> bool:
        ttl_s = self._settings.call_claim_ttl_s
        return await self._registry.claim(
            tenant, session_id, call_id=call_id, gateway_id=self._gateway_id, ttl_s=ttl_s
        )

    async def _release(self, tenant: str, session_id: str, call_id: str) -> None:
        try:
            await self._registry.release(tenant, session_id, call_id=call_id)
        except StoreUnavailable as error:
            log.warning("the claim of a session runs out by itself", error=str(error))

    async def _hold(
        self,
        socket: WebSocket,
        dialect: Dialect,
        tenant: str,
        record: SessionRecord,
        call_id: str,
        first: ClientEvent | None,
    ) -> None:
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
        call = Call(
            call_id=call_id,
            session_id=record.id,
            config=record.config,
            items=record.items,
            new_id=new_id,
            expires_at=int(time.time() + settings.call_max_s),
            limits=self._limits,
        )
        runner = CallRunner(
            call,
            call_id=call_id,
            tenant=tenant,
            session_id=record.id,
            bus=self._bus,
            pool=settings.pool,
            store=self._store,
            dialect=dialect,
            outbound=outbound,
        )
        self._calls[call_id] = LiveCall((tenant, record.id), runner)
        metrics.active_calls.labels(dialect.name).inc()
        log.info("call opened", dialect=dialect.name)
        end = "error"
        try:
            if first is not None:
                runner.put(first)
            reading = asyncio.create_task(_read(socket, dialect, runner))
            sending = asyncio.create_task(_write(outbound, runner))
            try:
                await runner.run()
            finally:
                reading.cancel()
                outbound.finish()
                await asyncio.gather(reading, sending, return_exceptions=True)
            end = await self._hang_up(socket, runner, outbound)
        finally:
            del self._calls[call_id]
            metrics.active_calls.labels(dialect.name).dec()
            metrics.calls.labels(dialect.name, end).inc()
            log.info("call closed", end=end)

    async def _hang_up(self, socket: WebSocket, runner: CallRunner, outbound: Outbound) -> str:
        """Close the socket as the call wants it; the name of the end for the books."""
        if outbound.stalled:
            metrics.stalled_clients.inc()
            code, reason, end = POLICY_VIOLATION, "client does not read", "stalled"
        elif runner.close is None:
            return "client_gone"
        else:
            code, reason, end = runner.close.code, runner.close.reason, f"closed_{runner.close.code}"
        if socket.application_state is WebSocketState.CONNECTED:
            with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
                async with asyncio.timeout(self._settings.send_timeout_s):
                    await socket.close(code, reason)
        return end

    async def run(self) -> None:
        """Keep what this gateway owns of the registry, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.call_claim_ttl_s / 3)
            for call_id, live in list(self._calls.items()):
                await self._renew(call_id, live)

    async def _renew(self, call_id: str, live: LiveCall) -> None:
        try:
            owned = await self._claim(*live.session, call_id)
        except StoreUnavailable as error:  # calls that live go on without it
            log.warning("the claim of a session was not renewed", error=str(error))
            return
        if not owned and call_id in self._calls:
            log.warning("a session was claimed by another gateway", call_id=call_id)
            live.runner.put(Disconnected())


async def _read(socket: WebSocket, dialect: Dialect, runner: CallRunner) -> None:
    """Bring what the client sends to its call, until it is gone."""
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                break
            frame = message.get("text")
            event = dialect.decode(message.get("bytes") or b"" if frame is None else frame)
            if event is not None:
                await runner.offer(event)
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("reading from the client failed")
    runner.put(Disconnected())


async def _write(outbound: Outbound, runner: CallRunner) -> None:
    try:
        await outbound.run()
    except (RuntimeError, WebSocketDisconnect, OSError):
        runner.put(Disconnected())  # the socket went away under the frame
