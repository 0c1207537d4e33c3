"""Client events of the beta Realtime protocol that are not those of GA."""

from __future__ import annotations

from typing import Any

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core.field_rules import Errors

from .realtime_beta_response import read_options
from .realtime_beta_session import ga_patch
from .realtime_decode import COMMON_EVENTS, Reader, session_of


def _session_update(
    message: dict[str, Any], event_id: str | None, errors: Errors
) -> ask.UpdateSession | None:
    flat = session_of(message, errors)
    if flat is None:
        return None
    wrong: Errors = []  # of single members: the rest of the update applies
    patch = ga_patch(flat, "session", wrong)
    return ask.UpdateSession(event_id=event_id, patch=patch, errors=wrong)


def _transcription_session_update(
    message: dict[str, Any], event_id: str | None, errors: Errors
) -> ask.UpdateSession | None:
    update = _session_update(message, event_id, errors)
    if update is not None:
        update.patch["type"] = "transcription"
    return update


def _response_create(message: dict[str, Any], event_id: str | None, errors: Errors) -> ask.CreateResponse:
    return ask.CreateResponse(
        event_id=event_id, options=read_options(message.get("response"), "response", errors)
    )


BETA_EVENTS: dict[str, Reader] = {
    "session.update": _session_update,
    "transcription_session.update": _transcription_session_update,
    "response.create": _response_create,
    **COMMON_EVENTS,
}
