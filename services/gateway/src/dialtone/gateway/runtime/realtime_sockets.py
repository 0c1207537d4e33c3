"""`/v1/realtime`: the OpenAI Realtime protocol, in either dialect.

What the handshake says:

    Authorization, api-key, subprotocol   an API key, or a client secret; see `callers`
    OpenAI-Beta, subprotocol              the dialect; see `dialects.selection`
    ?model=                               a model of the llm service's registry, or a Moshi
    ?intent=transcription                 the session only listens; a `model` is passed over then
    ?session_id=                          goes on with this session
    ?call_id=                             names a WebRTC or SIP call: there are none
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec
from starlette.websockets import WebSocket

from dialtone.bus import BusError
from dialtone.gateway.audit import RESUME, Audit
from dialtone.gateway.core.items import SessionRecord
from dialtone.gateway.core.moshi_limits import blank_session
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.dialects.realtime import RealtimeDialect
from dialtone.gateway.dialects.realtime_beta import RealtimeBetaDialect
from dialtone.gateway.dialects.selection import dialect_of
from dialtone.gateway.ids import is_client_id, new_id
from dialtone.gateway.rest.auth import ApiKeys
from dialtone.gateway.runtime.callers import Caller, caller_of
from dialtone.gateway.runtime.moshi_variants import is_not_served, not_served
from dialtone.gateway.runtime.refusals import Refusal, deny, draining, full, tenant_too_often, unavailable
from dialtone.gateway.runtime.switchboard import GatewayDraining, GatewayFull, Switchboard
from dialtone.gateway.runtime.tenant_places import TenantPlaces
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import ClientSecrets, SessionBusy, SessionStore, StoreUnavailable

INTENTS = ("realtime", "transcription")
NOT_THEIRS = ("session_not_found", "session_not_allowed")  # refusals of who names another's session
PROTOCOL = "realtime"  # the subprotocol that is agreed on; never the one that carries the key


@dataclass(slots=True)
class RealtimeSockets:
    switchboard: Switchboard
    store: SessionStore
    keys: ApiKeys
    secrets: ClientSecrets
    settings: GatewaySettings
    places: TenantPlaces
    audit: Audit

    async def serve(self, socket: WebSocket) -> None:
        """Hold a call on the socket to its end, or refuse the handshake."""
        try:
            caller = await caller_of(socket, self.keys, self.secrets)
            back = _goes_on(socket, caller)
            if self.keys.comes_too_often(caller.tenant, back=back):
                raise tenant_too_often()
            with self.switchboard.place(), self.places.place(caller.tenant):
                try:
                    await self._connect(socket, caller)
                except Refusal as refusal:
                    if refusal.code in NOT_THEIRS:
                        self.audit.foreign_session(caller.tenant, RESUME, socket)
                        if back and self.keys.comes_too_often(caller.tenant):
                            raise tenant_too_often() from refusal  # it came back from nowhere
                    raise
        except Refusal as refusal:
            await deny(socket, refusal)
        except GatewayFull:
            await deny(socket, full())
        except GatewayDraining:
            await deny(socket, draining())
        except SessionBusy:
            await deny(socket, Refusal(409, "session_busy", "The session has a live call already."))
        except (StoreUnavailable, BusError):
            await deny(socket, unavailable())

    async def _connect(self, socket: WebSocket, caller: Caller) -> None:
        opening = _Opening(socket, caller, self.settings.default_instructions)
        offered: list[str] = socket.scope.get("subprotocols", [])
        beta = dialect_of(socket.headers.get("openai-beta"), offered) == RealtimeBetaDialect.name
        dialect = RealtimeBetaDialect() if beta else RealtimeDialect()
        session_id = opening.resumed or new_id("sess")

        async def find() -> SessionRecord:
            if opening.resumed:
                record = await self._stored(caller.tenant, opening.resumed)
                opening.check_type(record.config)
                self._check_model(record.config)
                return msgspec.structs.replace(record, config=dialect.configure(record.config))
            config = dialect.configure(opening.config())
            self._check_model(config)
            record = SessionRecord(session_id, caller.tenant, time.time(), config)
            await self.store.create(record)
            return record

        async def accept() -> None:
            await socket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)

        await self.switchboard.connect(
            socket,
            dialect,
            (caller.tenant, session_id),
            find,
            accept=accept,
            longest_s=self.settings.call_max_beta_s if beta else self.settings.call_max_s,
            resumed=opening.resumed is not None,
            admitted=lambda: self.keys.counts(caller.key),
            locked=caller.secret.locked if caller.secret else (),
        )

    def _check_model(self, config: SessionConfig) -> None:
        if is_not_served(config, self.settings):
            raise Refusal(404, "model_not_found", not_served(config.model), param="model")

    async def _stored(self, tenant: str, session_id: str) -> SessionRecord:
        record = await self.store.get(tenant, session_id)
        if record is None:
            raise Refusal(404, "session_not_found", f"Session '{session_id}' not found.", param="session_id")
        return record


def _goes_on(socket: WebSocket, caller: Caller) -> bool:
    """Whether the handshake names what may be a session, or its secret does."""
    bound = caller.secret.session_id if caller.secret else None
    return bool(bound) or is_client_id(socket.query_params.get("session_id", ""))


class _Opening:
    """What the handshake and the client's secret say of the session. Raises Refusal."""

    def __init__(self, socket: WebSocket, caller: Caller, default_instructions: str) -> None:
        query = socket.query_params
        self._instructions = default_instructions
        self._secret = caller.secret
        self._locked = caller.secret.locked if caller.secret else ()
        self._model = query.get("model")
        self._intent = query.get("intent")
        if self._intent not in (None, *INTENTS):
            raise Refusal(400, "invalid_value", "The intent is to be 'transcription'.", param="intent")
        if query.get("call_id"):
            message = "There are no WebRTC or SIP calls here to be controlled by a socket."
            raise Refusal(404, "call_not_found", message, param="call_id")
        self.resumed = self._resumed(query.get("session_id"))

    def _resumed(self, asked: str | None) -> str | None:
        """The session to go on with. A secret opens new ones, or the one that it was made for."""
        if self._secret is not None:
            bound = self._secret.session_id
            if asked and asked != bound:
                message = "This client secret was not made for that session."
                raise Refusal(403, "session_not_allowed", message, param="session_id")
            return bound
        if asked and not is_client_id(asked):
            raise Refusal(404, "session_not_found", "Session not found: this is no id.", param="session_id")
        return asked or None

    def config(self) -> SessionConfig:
        """What a new session begins with."""
        bound = self._secret.config if self._secret else None
        if bound is None:
            if self._intent == "transcription":
                return SessionConfig(type="transcription")
            return blank_session(self._model or SessionConfig().model, self._instructions)
        self.check_type(bound)
        open_to_socket = bound.model == SessionConfig().model and "model" not in self._locked
        if self._model and bound.type == "realtime" and open_to_socket:
            bound = msgspec.structs.replace(bound, model=self._model)
            if bound.moshi is not None and bound.instructions == self._instructions:
                return msgspec.structs.replace(bound, instructions="")  # nobody chose them
        return bound

    def check_type(self, config: SessionConfig) -> None:
        """A session keeps its type, whatever the socket is opened for."""
        if self._intent not in (None, config.type):
            message = f"The session is of type '{config.type}', which the intent contradicts."
            raise Refusal(400, "session_type_mismatch", message, param="intent")
