"""Ephemeral secrets: `/v1/realtime/client_secrets`, and its two forerunners of the beta protocol.

The bodies are read by the rules of `session.update`, so that what a socket takes is taken here, and
what is wrong is named here as there.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field

from dialtone.gateway.audit import BIND_SECRET, Audit
from dialtone.gateway.core.field_rules import Errors, FieldError, wrong_type
from dialtone.gateway.core.moshi_limits import within_moshi
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.core.session_update import merge_session
from dialtone.gateway.dialects.json_frames import BadFrame, read_object
from dialtone.gateway.dialects.realtime_beta_session import beta_session_object, flat_error, ga_patch
from dialtone.gateway.dialects.realtime_encode import session_object
from dialtone.gateway.ids import is_client_id, new_id
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import ClientSecrets, SessionStore, TooManySecrets

from . import secret_requests as read
from .auth import ApiKey, ApiKeys
from .body_limit import bounded_route
from .errors import ApiError, error_responses

_RETRY_AFTER_S = 30
_ROOT = "session"  # where merge_session is told that a flat body stands


class ClientSecretOut(BaseModel):
    id: str = Field(examples=["secret_9f86d081884c7d65…"])
    """By which it can be called back."""
    value: str = Field(examples=["ek_4fWbR1uZ0aQp9xLmKc2TnE"])
    """Opens `/v1/realtime`, as a bearer token or as a subprotocol; nothing else."""
    expires_at: int
    """Unix seconds. Calls that were opened before go on."""
    session: dict[str, Any]
    """The complete session that its calls begin with, defaults filled in."""


def create_client_secrets_router(
    secrets: ClientSecrets, store: SessionStore, keys: ApiKeys, settings: GatewaySettings, audit: Audit
) -> APIRouter:
    """The routes of secrets, each for the tenant of the key that came with the request."""
    router = APIRouter(
        prefix="/v1/realtime",
        tags=["client secrets"],
        route_class=bounded_route(settings.max_body_bytes),
        responses=error_responses(400, 401, 413, 429, 503),
    )
    key_of_request = Depends(keys.key)
    fresh = SessionConfig(instructions=settings.default_instructions)

    async def mint(
        key: ApiKey,
        seconds: int,
        config: SessionConfig | None,
        session_id: str | None = None,
        locked: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        try:
            minted = await secrets.mint(
                key.tenant,
                seconds=seconds,
                config=config,
                session_id=session_id,
                key=key.fingerprint,
                locked=locked,
            )
        except TooManySecrets as error:
            message = f"There are {settings.max_client_secrets} live client secrets; wait until some expire."
            retry = {"Retry-After": str(_RETRY_AFTER_S)}
            raise ApiError(
                429, "too_many_client_secrets", message, kind="rate_limit_error", headers=retry
            ) from error
        return {"id": minted.id, "value": minted.value, "expires_at": minted.expires_at}

    @router.post("/client_secrets", openapi_extra=read.GA_BODY, responses=error_responses(404))
    async def create_client_secret(request: Request, key: ApiKey = key_of_request) -> ClientSecretOut:
        """A secret for a browser, bound to the session that its calls begin with.

        It opens any number of calls until it expires. Without `session` they begin as they ask for.
        With `dialtone.session_id` it opens that session alone, and goes on with it. What
        `dialtone.locked` names stays in its calls as it is; without `session` that is the default.
        """
        body = await _body(request)
        errors: Errors = []
        wanted = read.client_secret(body, errors)
        config = fresh if wanted.locked and wanted.session_id is None else None
        if wanted.session is not None:
            config = _merged(fresh, wanted.session, errors)
        _refuse(errors)
        session_id, shown = new_id("sess"), config or fresh
        if wanted.session_id is not None:
            session_id, shown = wanted.session_id, await stored(key.tenant, wanted.session_id, request)
        minted = await mint(key, wanted.seconds, config, wanted.session_id, wanted.locked)
        session = session_object(shown, session_id, 0)
        del session["expires_at"]  # it has not begun
        return ClientSecretOut(**minted, session=session)

    @router.delete("/client_secrets/{secret_id}", status_code=204, responses=error_responses(404))
    async def revoke_client_secret(
        secret_id: Annotated[str, Path(description="`id` of the secret, as it was made with")],
        key: ApiKey = key_of_request,
    ) -> None:
        """Call a secret back: it opens no further call. Calls that it opened go on, as after its expiry."""
        if not await secrets.revoke(key.tenant, secret_id):
            raise ApiError(404, "client_secret_not_found", "There is no such secret.", param="secret_id")

    async def stored(tenant: str, session_id: str, request: Request) -> SessionConfig:
        record = await store.get(tenant, session_id) if is_client_id(session_id) else None
        if record is None:
            audit.foreign_session(tenant, BIND_SECRET, request)
            raise ApiError(404, "session_not_found", "There is no such session.", param="dialtone.session_id")
        return record.config

    async def beta(request: Request, key: ApiKey, blank: SessionConfig) -> dict[str, Any]:
        body = await _body(request)
        errors: Errors = []
        seconds = read.beta_lifetime(body, errors)
        config = read.with_model(blank, body, errors, path="model")
        patch = ga_patch(body, "", errors)
        config, wrong = _within(config, patch)
        errors += [_without_root(flat_error(error)) for error in wrong]
        _refuse(errors)
        minted = await mint(key, seconds, config)
        session = beta_session_object(config, new_id("sess"), 0)
        del session["expires_at"]
        return session | {"client_secret": minted}

    @router.post("/sessions", openapi_extra=read.BETA_BODY)
    async def create_realtime_session(request: Request, key: ApiKey = key_of_request) -> dict[str, Any]:
        """The beta protocol's form of a client secret: the flat session, with the secret inside."""
        return await beta(request, key, fresh)

    @router.post("/transcription_sessions", openapi_extra=read.BETA_BODY)
    async def create_transcription_session(request: Request, key: ApiKey = key_of_request) -> dict[str, Any]:
        """The beta protocol's form of a client secret for calls that only listen."""
        return await beta(request, key, SessionConfig(type="transcription"))

    return router


async def _body(request: Request) -> dict[str, Any]:
    content = await request.body()
    try:
        return read_object(content) if content else {}
    except BadFrame as error:
        raise ApiError(400, error.code, str(error).replace("frame", "body")) from error


def _merged(fresh: SessionConfig, session: Any, errors: Errors) -> SessionConfig:
    if not isinstance(session, dict):
        wrong_type(errors, "session", "an object", session)
        return fresh
    blank = fresh
    if read.session_type(session, errors) == "transcription":
        blank = SessionConfig(type="transcription")
    config = read.with_model(blank, session, errors, path="session.model")
    config, wrong = _within(config, session | {"type": None})  # that was read already
    errors += wrong
    return config


def _within(config: SessionConfig, patch: dict[str, Any]) -> tuple[SessionConfig, Errors]:
    """The configuration with the patch, and what is wrong with that for its model."""
    config, wrong = merge_session(config, patch, path=_ROOT)
    if config.moshi is None:
        return config, wrong
    config, unable = within_moshi(config)
    return config, wrong + unable


def _refuse(errors: Errors) -> None:
    """Nothing is made of a request in which anything is wrong."""
    if errors:
        first = errors[0]
        message = " ".join(error.message for error in errors)
        raise ApiError(400, first.code, message, param=first.param)


def _without_root(error: FieldError) -> FieldError:
    root = f"{_ROOT}."
    return FieldError(error.param.removeprefix(root), error.code, error.message.replace(f"'{root}", "'"))
