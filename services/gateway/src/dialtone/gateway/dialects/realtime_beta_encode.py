"""Server events in the JSON of the beta Realtime protocol."""

from __future__ import annotations

from typing import Any

import msgspec

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.field_rules import FieldError

from .realtime_beta_items import beta_item
from .realtime_beta_response import beta_response
from .realtime_beta_session import beta_session_object, flat_error
from .realtime_encode import UNSAID as UNSAID_IN_BOTH
from .realtime_item_events import item_event, with_audio

# An item is told once, when it is added; idle timeouts came with GA.
UNSAID = (*UNSAID_IN_BOTH, out.ItemDone, out.TimeoutTriggered)

ITEM_EVENTS = (out.ItemAdded, out.ItemRetrieved)

RENAMED = {
    "conversation.item.added": "conversation.item.created",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}

_encode = msgspec.json.Encoder().encode


def encode_event(event: out.ServerEvent, event_id: str) -> str | None:
    """One text frame, or None for an event without a beta form."""
    if isinstance(event, UNSAID):
        return None
    members = {"event_id": event_id, **_members(event)}
    return item_event(members) if isinstance(event, ITEM_EVENTS) else _encode(members).decode()


def _members(event: out.ServerEvent) -> dict[str, Any]:
    if isinstance(event, out.SessionCreated | out.SessionUpdated):
        return _session_event(event)
    members = with_audio(event) if isinstance(event, ITEM_EVENTS) else msgspec.to_builtins(event)
    members["type"] = RENAMED.get(members["type"], members["type"])
    if "item" in members:
        members["item"] = beta_item(members["item"])
    match event:
        case out.ResponseCreated() | out.ResponseDone():
            members["response"] = beta_response(members["response"])
        case out.FunctionArgumentsDone():
            del members["name"]
        case out.Error(error=detail) if detail.param is not None:
            told = flat_error(FieldError(detail.param, detail.code or "", detail.message))
            members["error"] |= {"param": told.param, "message": told.message}
    return members


def _session_event(event: out.SessionCreated | out.SessionUpdated) -> dict[str, Any]:
    kind = "transcription_session" if event.config.type == "transcription" else "session"
    happened = "created" if isinstance(event, out.SessionCreated) else "updated"
    session = beta_session_object(event.config, event.session_id, event.expires_at)
    return {"type": f"{kind}.{happened}", "session": session}
