"""`/chat/voice_call`: the first frame with a session id names the session of the call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from dialtone.bus import BusError
from dialtone.gateway.audit import VOICE_CALL, Audit
from dialtone.gateway.core.client_events import ClientEvent, Invalid
from dialtone.gateway.core.items import SessionRecord
from dialtone.gateway.dialects.voice_call import VoiceCallDialect, error_frame
from dialtone.gateway.ids import is_client_id
from dialtone.gateway.rest.auth import TOO_OFTEN, ApiKey, ApiKeys
from dialtone.gateway.runtime import metrics
from dialtone.gateway.runtime.callers import bearer
from dialtone.gateway.runtime.manners import Limits, Manners
from dialtone.gateway.runtime.moshi_variants import is_not_served, not_served
from dialtone.gateway.runtime.refusals import Refusal, deny, draining, full, tenant_too_often, wrong_key
from dialtone.gateway.runtime.switchboard import GatewayDraining, GatewayFull, Switchboard
from dialtone.gateway.runtime.tenant_places import TenantPlaces
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import SessionBusy, SessionStore, StoreUnavailable, UnknownSession

NAMING_S = 30.0  # for a client to name its session
POLICY_VIOLATION, SERVICE_RESTART, TRY_AGAIN_LATER = 1008, 1012, 1013


class NoVoice(Exception):
    """The session only listens."""


class TooManyErrors(Exception):
    """The client sends what is no frame, again and again."""


class NoMoshi(Exception):
    """The session has a Moshi that is not served; the text is for the client."""


@dataclass(slots=True)
class VoiceSockets:
    switchboard: Switchboard
    store: SessionStore
    keys: ApiKeys
    settings: GatewaySettings
    places: TenantPlaces
    audit: Audit

    async def serve(self, socket: WebSocket) -> None:
        """Hold a call on the socket to its end, or refuse it."""
        key = self.keys.find(bearer(socket))
        if key is None:
            await deny(socket, wrong_key())
            return
        if self.keys.comes_too_often(key.tenant, back=True):  # its calls have sessions that are there
            await deny(socket, tenant_too_often())
            return
        try:
            with self.switchboard.place(), self.places.place(key.tenant):
                await socket.accept()
                await self._serve(socket, key)
        except Refusal as refusal:
            await deny(socket, refusal)
        except GatewayFull:
            await deny(socket, full())
        except GatewayDraining:
            await deny(socket, draining())

    def _manners(self) -> Manners:
        return Manners(Limits(self.settings.wrong_messages_per_minute, NAMING_S))

    async def _serve(self, socket: WebSocket, key: ApiKey) -> None:
        tenant = key.tenant
        dialect = VoiceCallDialect()
        try:
            async with asyncio.timeout(NAMING_S):
                session_id, first = await _named_session(socket, dialect, self._manners())
        except TimeoutError:
            await socket.close(POLICY_VIOLATION, "no session was named")
            return
        except WebSocketDisconnect:
            return
        except TooManyErrors as error:
            await _refuse(socket, 500, "too_many_errors", str(error), POLICY_VIOLATION)
            return

        async def find() -> SessionRecord:
            record = await self.store.get(tenant, session_id)
            if record is None:
                raise UnknownSession
            if record.config.type != "realtime":
                raise NoVoice
            if is_not_served(record.config, self.settings):
                raise NoMoshi(not_served(record.config.model))
            return msgspec.structs.replace(record, config=dialect.configure(record.config))

        async def accept() -> None:
            return

        try:
            if not is_client_id(session_id):
                raise UnknownSession
            await self.switchboard.connect(
                socket,
                dialect,
                (tenant, session_id),
                find,
                accept=accept,
                longest_s=self.settings.call_max_s,
                resumed=True,
                admitted=lambda: self.keys.counts(key.fingerprint),
                first=first,
            )
        except UnknownSession:
            self.audit.foreign_session(tenant, VOICE_CALL, socket)
            if self.keys.comes_too_often(tenant):  # it was counted as one of a session that is there
                await _refuse(socket, 429, "rate_limit_exceeded", TOO_OFTEN, TRY_AGAIN_LATER)
                return
            await _refuse(socket, 404, "session_not_found", "session not found", POLICY_VIOLATION)
        except NoVoice:
            why = "the session is one for transcription alone"
            await _refuse(socket, 400, "session_type_mismatch", why, POLICY_VIOLATION)
        except NoMoshi as missing:
            await _refuse(socket, 404, "model_not_found", str(missing), POLICY_VIOLATION)
        except SessionBusy:
            why = "the session has a live call already"
            await _refuse(socket, 409, "session_busy", why, POLICY_VIOLATION)
        except GatewayDraining:
            why = "the gateway is about to stop, call again"
            await _refuse(socket, 503, "gateway_draining", why, SERVICE_RESTART)
        except (StoreUnavailable, BusError):
            why = "the service is not available, try again later"
            await _refuse(socket, 503, "service_unavailable", why, TRY_AGAIN_LATER)


async def _named_session(
    socket: WebSocket, dialect: VoiceCallDialect, manners: Manners
) -> tuple[str, ClientEvent | None]:
    """Read frames until one names the session; wrong ones are answered, heartbeats passed over.

    Raises TooManyErrors.
    """
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        event = dialect.decode(message.get("bytes") or b"" if text is None else text)
        if isinstance(event, Invalid):
            for frame in dialect.encode_invalid(event):
                await socket.send_text(str(frame))
            if (expelled := manners.wrong()) is not None:
                raise TooManyErrors(expelled.message)
        elif dialect.session_id is not None:
            return dialect.session_id, event


async def _refuse(socket: WebSocket, code: int, reason: str, why: str, close: int) -> None:
    metrics.refused.labels(reason).inc()  # the name that the Realtime handshake has for it
    await socket.send_text(error_frame(why, code=code))
    await socket.close(close, why)
