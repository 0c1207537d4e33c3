"""`/v1/sessions`: create, read, list, change and delete conversations."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from dialtone.gateway.audit import CHANGE, DELETE, READ, Audit
from dialtone.gateway.core.items import SessionRecord
from dialtone.gateway.ids import is_client_id
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import SessionBusy, SessionStore, UnknownSession

from . import mapping
from .auth import ApiKeys
from .body_limit import bounded_route
from .errors import ApiError, error_responses
from .moshi_refusals import refuse_unable
from .schemas import NewSession, SessionListOut, SessionOut, SessionSettings

SessionId = Annotated[str, Path(description="Id of the session", examples=["sess_4fWbR1uZ0aQp9xLmKc2TnE"])]


class SessionHolders(Protocol):
    """Who has the sessions (tenant, id), which are the calls of all gateways."""

    def changing(self, session: tuple[str, str]) -> AbstractAsyncContextManager[int]:
        """Hold the session for a change; the epoch with which to write it. Raises `SessionBusy`,
        also where a call takes the session inside the block."""

    async def end_call(self, session: tuple[str, str]) -> None:
        """End the call of a session that was deleted, if it has one."""


def create_sessions_router(
    store: SessionStore, holders: SessionHolders, keys: ApiKeys, settings: GatewaySettings, audit: Audit
) -> APIRouter:
    """The routes of sessions, each for the tenant of the key that came with the request."""
    router = APIRouter(
        prefix="/v1/sessions",
        tags=["sessions"],
        route_class=bounded_route(settings.max_body_bytes),
        responses=error_responses(401, 422, 503),
    )
    tenant_of_request = Depends(keys.tenant)

    def refused(session_id: str, tenant: str, asked: str, request: Request) -> ApiError:
        audit.foreign_session(tenant, asked, request)
        return _not_found(session_id)

    async def find(tenant: str, session_id: str, asked: str, request: Request) -> SessionRecord:
        # What cannot be an id is not looked up: it would become part of keys.
        record = await store.get(tenant, session_id) if is_client_id(session_id) else None
        if record is None:
            raise refused(session_id, tenant, asked, request)
        return record

    @router.post("", status_code=201, responses=error_responses(413))
    async def create_session(
        wanted: NewSession, response: Response, tenant: str = tenant_of_request
    ) -> SessionOut:
        """Begin a conversation. Its id is what a call names to go on with it."""
        record = mapping.new_record(
            wanted,
            tenant=tenant,
            now=time.time(),
            default_instructions=settings.default_instructions,
        )
        refuse_unable(record.config)
        await store.create(record)
        response.headers["Location"] = f"{router.prefix}/{record.id}"
        return mapping.session_out(record)

    @router.get("")
    async def list_sessions(
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: Annotated[str | None, Query(max_length=256, description="`next` of the page before")] = None,
        tenant: str = tenant_of_request,
    ) -> SessionListOut:
        """The settings of all sessions, newest first, a page at a time."""
        try:
            page = await store.list(tenant, limit=limit, cursor=after)
        except ValueError as error:
            raise ApiError(422, "invalid_value", f"after: {error}", param="after") from error
        data = [mapping.summary_out(summary) for summary in page.sessions]
        return SessionListOut(data=data, has_more=page.next_cursor is not None, next=page.next_cursor)

    @router.get("/{session_id}", responses=error_responses(404))
    async def read_session(
        session_id: SessionId, request: Request, tenant: str = tenant_of_request
    ) -> SessionOut:
        """The settings and the messages of a session."""
        return mapping.session_out(await find(tenant, session_id, READ, request))

    @router.patch("/{session_id}", responses=error_responses(404, 409, 413))
    async def change_session(
        session_id: SessionId, wanted: SessionSettings, request: Request, tenant: str = tenant_of_request
    ) -> SessionOut:
        """Change the settings that are named. Those of a session with a live call are changed in the call."""
        await find(tenant, session_id, CHANGE, request)
        try:
            async with holders.changing((tenant, session_id)) as epoch:
                record = await find(tenant, session_id, CHANGE, request)  # as the last call left it
                refuse_unable(mapping.changed_alone(record.config, wanted))
                record.config = mapping.apply_settings(record.config, wanted)
                await store.put_config(tenant, session_id, record.config, epoch=epoch)
        except UnknownSession as error:
            raise _not_found(session_id) from error
        except SessionBusy as error:
            message = "The session has a live call: change its settings there, or when it is over."
            raise ApiError(409, "session_busy", message) from error
        return mapping.session_out(record)

    @router.delete("/{session_id}", status_code=204, responses=error_responses(404))
    async def delete_session(
        session_id: SessionId, request: Request, tenant: str = tenant_of_request
    ) -> None:
        """Forget a session and all that was said in it. A call that it has is ended."""
        if not (is_client_id(session_id) and await store.delete(tenant, session_id)):
            raise refused(session_id, tenant, DELETE, request)
        # Only now: a call that begins after this finds no session.
        await holders.end_call((tenant, session_id))

    return router


def _not_found(session_id: str) -> ApiError:
    shown = session_id if is_client_id(session_id) else "(not an id)"
    return ApiError(404, "session_not_found", f"There is no session {shown}.", param="session_id")
