"""The WebSocket endpoints: `/v1/realtime` and `/chat/voice_call`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import msgspec
from fastapi import APIRouter
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from dialtone.bus import BusError
from dialtone.gateway.core.client_events import ClientEvent, Invalid
from dialtone.gateway.core.items import SessionRecord
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.dialects.realtime import RealtimeDialect
from dialtone.gateway.dialects.voice_call import VoiceCallDialect, error_frame
from dialtone.gateway.ids import is_client_id, new_id
from dialtone.gateway.rest.auth import ApiKeys
from dialtone.gateway.runtime import metrics
from dialtone.gateway.runtime.switchboard import GatewayFull, SessionBusy, Switchboard
from dialtone.gateway.stores import SessionStore, StoreUnavailable, UnknownSession

RETRY_AFTER_S = 5
NAMING_S = 30.0  # for a voice_call client to name its session
KEY_PROTOCOL = "openai-insecure-api-key."


@dataclass(slots=True)
class Sockets:
    """The endpoints' shared parts."""

    switchboard: Switchboard
    store: SessionStore
    keys: ApiKeys

    def router(self) -> APIRouter:
        router = APIRouter()
        router.add_api_websocket_route("/v1/realtime", self.realtime)
        router.add_api_websocket_route("/chat/voice_call", self.voice_call)
        return router

    # --- /v1/realtime

    async def realtime(self, socket: WebSocket) -> None:
        """The OpenAI Realtime protocol. Queries: `model`; `session_id` goes on with a session."""
        offered = socket.scope.get("subprotocols", [])
        tenant = self.keys.tenant_of(_bearer(socket) or _key_protocol(offered))
        if tenant is None:
            await _deny(socket, 401, "invalid_api_key", "Incorrect API key provided.")
            return
        query = socket.query_params
        resumed = query.get("session_id")
        session_id = resumed or new_id("sess")
        dialect = RealtimeDialect()

        async def find() -> SessionRecord:
            if resumed:
                record = await self._stored(tenant, resumed)
                return msgspec.structs.replace(record, config=dialect.configure(record.config))
            config = SessionConfig(model=query.get("model") or SessionConfig().model)
            record = SessionRecord(session_id, tenant, time.time(), config)
            await self.store.create(record)
            return record

        async def accept() -> None:
            await socket.accept(subprotocol="realtime" if "realtime" in offered else None)

        try:
            if not is_client_id(session_id):
                raise UnknownSession
            with self.switchboard.place():
                await self.switchboard.connect(socket, dialect, (tenant, session_id), find, accept=accept)
        except UnknownSession:
            await _deny(socket, 404, "session_not_found", f"Session '{resumed}' not found.")
        except SessionBusy:
            await _deny(socket, 409, "session_busy", "The session has a live call already.")
        except (GatewayFull, StoreUnavailable, BusError) as error:
            await _deny_for_now(socket, error)

    async def _stored(self, tenant: str, session_id: str) -> SessionRecord:
        record = await self.store.get(tenant, session_id)
        if record is None:
            raise UnknownSession
        return record

    # --- /chat/voice_call

    async def voice_call(self, socket: WebSocket) -> None:
        """The voice_call protocol: the first frame with a session id names the session."""
        tenant = self.keys.tenant_of(_bearer(socket))
        if tenant is None:
            await _deny(socket, 401, "invalid_api_key", "Incorrect API key provided.")
            return
        try:
            with self.switchboard.place():
                await socket.accept()
                await self._voice_call(socket, tenant)
        except GatewayFull as error:
            await _deny_for_now(socket, error)

    async def _voice_call(self, socket: WebSocket, tenant: str) -> None:
        try:
            async with asyncio.timeout(NAMING_S):
                dialect, session_id, first = await _named_session(socket)
        except TimeoutError:
            await socket.close(1008, "no session was named")
            return
        except WebSocketDisconnect:
            return

        async def find() -> SessionRecord:
            record = await self._stored(tenant, session_id)
            return msgspec.structs.replace(record, config=dialect.configure(record.config))

        async def accept() -> None:
            return

        try:
            if not is_client_id(session_id):
                raise UnknownSession
            await self.switchboard.connect(
                socket, dialect, (tenant, session_id), find, accept=accept, first=first
            )
        except UnknownSession:
            await _refuse(socket, dialect, 404, "session not found", close=1008)
        except SessionBusy:
            await _refuse(socket, dialect, 409, "the session has a live call already", close=1008)
        except (StoreUnavailable, BusError):
            await _refuse(socket, dialect, 503, "the service is not available, try again later", close=1013)


async def _named_session(socket: WebSocket) -> tuple[VoiceCallDialect, str, ClientEvent | None]:
    """Read frames until one names the session; wrong ones are answered, heartbeats passed over."""
    dialect = VoiceCallDialect()
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        event = dialect.decode(message.get("bytes") or b"" if text is None else text)
        if isinstance(event, Invalid):
            for frame in dialect.encode_invalid(event):
                await socket.send_text(str(frame))
        elif dialect.session_id is not None:
            return dialect, dialect.session_id, event


def _bearer(socket: WebSocket) -> str | None:
    scheme, _, key = socket.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key else None


def _key_protocol(offered: list[str]) -> str | None:
    """The key that a browser can only give as a subprotocol."""
    return next((p.removeprefix(KEY_PROTOCOL) for p in offered if p.startswith(KEY_PROTOCOL)), None)


async def _deny(
    socket: WebSocket, status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> None:
    metrics.refused.labels(code).inc()
    kind = "invalid_request_error" if status < 500 else "server_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    await socket.send_denial_response(JSONResponse({"error": error}, status, headers))


async def _deny_for_now(socket: WebSocket, error: Exception) -> None:
    code, message = "service_unavailable", "The service is not available, try again later."
    if isinstance(error, GatewayFull):
        code, message = "gateway_full", "The gateway is full, try again later."
    await _deny(socket, 503, code, message, {"Retry-After": str(RETRY_AFTER_S)})


async def _refuse(socket: WebSocket, dialect: VoiceCallDialect, code: int, why: str, *, close: int) -> None:
    metrics.refused.labels(f"{dialect.name}_{code}").inc()
    await socket.send_text(error_frame(why, code=code))
    await socket.close(close, why)
