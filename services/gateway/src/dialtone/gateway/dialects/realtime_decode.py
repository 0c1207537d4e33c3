"""Client events of the Realtime protocol, but for the audio that comes fifty times a second.

The table of a dialect says which events it has and how each is read; most are the same in both.

Lenient where real clients are loose (members that are unknown or null, a missing `session.type`),
strict where a wrong value could only be guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core.field_rules import (
    Errors,
    FieldError,
    integer,
    missing,
    wrong_type,
    wrong_value,
)

from . import Frame
from .json_frames import BadFrame, read_object
from .realtime_items import read_item
from .realtime_response import read_options

MAX_EVENT_ID = 512
MAX_AUDIO_MS = 2**53
# Those with items, which may hold images.
LARGE_EVENTS = frozenset({"conversation.item.create", "response.create"})


Reader = Callable[[dict[str, Any], str | None, Errors], ask.ClientEvent | None]


def decode_event(frame: Frame, events: Mapping[str, Reader]) -> ask.ClientEvent:
    """Read any client event of a dialect. Of a wrong one comes an `Invalid` with the first mistake."""
    try:
        message = read_object(frame, LARGE_EVENTS)
    except BadFrame as error:
        known = error.event_id if len(error.event_id or "") <= MAX_EVENT_ID else None
        return ask.Invalid(code=error.code, message=str(error), event_id=known)
    event_id = message.get("event_id")
    if not isinstance(event_id, str | None) or len(event_id or "") > MAX_EVENT_ID:
        return ask.Invalid(
            code="invalid_value",
            message=f"Invalid value for 'event_id': expected a string of at most {MAX_EVENT_ID} characters.",
            param="event_id",
        )
    errors: Errors = []
    event = _read(message, event_id, events, errors)
    return event if event is not None and not errors else _invalid(errors[0], event_id)


def bad_audio(event_id: str | None) -> ask.Invalid:
    return ask.Invalid(
        event_id=event_id,
        code="invalid_value",
        message="Invalid 'audio'. Expected base64-encoded audio bytes in the session's input format "
        "(mono PCM16 at 24kHz unless set otherwise).",
        param="audio",
    )


def audio_too_long(event_id: str | None, limit: int) -> ask.Invalid:
    return ask.Invalid(
        event_id=event_id,
        code="invalid_value",
        message=f"Invalid 'audio'. One append holds at most {limit} bytes of audio.",
        param="audio",
    )


def _invalid(error: FieldError, event_id: str | None) -> ask.Invalid:
    return ask.Invalid(event_id=event_id, code=error.code, message=error.message, param=error.param)


def _read(
    message: dict[str, Any], event_id: str | None, events: Mapping[str, Reader], errors: Errors
) -> ask.ClientEvent | None:
    kind = message.get("type")
    if not isinstance(kind, str):
        errors.append(FieldError("type", "invalid_event", "The event has no 'type' that is a string."))
        return None
    read = events.get(kind)
    if read is None:
        supported = ", ".join(f"'{name}'" for name in events)
        wrong_value(errors, "type", f"'{kind[:64]}'. Supported values are: {supported}.")
        return None
    return read(message, event_id, errors)


def session_of(message: dict[str, Any], errors: Errors) -> dict[str, Any] | None:
    """The `session` member of an update; None, and an error, if there is none."""
    patch = message.get("session")
    if patch is None:
        missing(errors, "session")
    elif not isinstance(patch, dict):
        wrong_type(errors, "session", "an object", patch)
    else:
        return patch
    return None


def _session_update(
    message: dict[str, Any], event_id: str | None, errors: Errors
) -> ask.UpdateSession | None:
    patch = session_of(message, errors)
    return None if patch is None else ask.UpdateSession(event_id=event_id, patch=patch)


def _append(message: dict[str, Any], _event_id: str | None, errors: Errors) -> None:
    """An append that the fast path could not read: its audio is missing or no string."""
    if message.get("audio") is None:
        missing(errors, "audio")
    else:
        wrong_type(errors, "audio", "a string", message["audio"])


def _item_create(message: dict[str, Any], event_id: str | None, errors: Errors) -> ask.CreateItem | None:
    recordings: dict[int, bytes] = {}
    item = read_item(message.get("item"), "item", errors, recordings)
    previous = _optional_id(message, "previous_item_id", errors)
    if item is None:
        return None
    return ask.CreateItem(event_id=event_id, item=item, previous_item_id=previous, recordings=recordings)


def _item_retrieve(message: dict[str, Any], event_id: str | None, errors: Errors) -> ask.RetrieveItem:
    return ask.RetrieveItem(event_id=event_id, item_id=_id(message, "item_id", errors))


def _item_delete(message: dict[str, Any], event_id: str | None, errors: Errors) -> ask.DeleteItem:
    return ask.DeleteItem(event_id=event_id, item_id=_id(message, "item_id", errors))


def _item_truncate(message: dict[str, Any], event_id: str | None, errors: Errors) -> ask.TruncateItem:
    item_id = _id(message, "item_id", errors)
    content_index = integer(0, 2**31)(message.get("content_index") or 0, 0, "content_index", errors)
    if message.get("audio_end_ms") is None:
        missing(errors, "audio_end_ms")
    end_ms = integer(0, MAX_AUDIO_MS)(message.get("audio_end_ms"), 0, "audio_end_ms", errors)
    return ask.TruncateItem(
        event_id=event_id, item_id=item_id, content_index=content_index, audio_end_ms=end_ms
    )


def _webrtc_only(message: dict[str, Any], _event_id: str | None, errors: Errors) -> None:
    text = f"'{message['type']}' is for WebRTC and SIP calls; over WebSocket the client holds what it plays."
    wrong_value(errors, "type", text)


def _response_create(message: dict[str, Any], event_id: str | None, errors: Errors) -> ask.CreateResponse:
    return ask.CreateResponse(
        event_id=event_id, options=read_options(message.get("response"), "response", errors)
    )


def _response_cancel(message: dict[str, Any], event_id: str | None, errors: Errors) -> ask.CancelResponse:
    return ask.CancelResponse(event_id=event_id, response_id=_optional_id(message, "response_id", errors))


def _commit(_message: dict[str, Any], event_id: str | None, _errors: Errors) -> ask.CommitAudio:
    return ask.CommitAudio(event_id=event_id)


def _clear(_message: dict[str, Any], event_id: str | None, _errors: Errors) -> ask.ClearAudio:
    return ask.ClearAudio(event_id=event_id)


def _id(message: dict[str, Any], member: str, errors: Errors) -> str:
    value = message.get(member)
    if value is None:
        missing(errors, member)
    elif not isinstance(value, str):
        wrong_type(errors, member, "a string", value)
    else:
        return value
    return ""


def _optional_id(message: dict[str, Any], member: str, errors: Errors) -> str | None:
    return None if message.get(member) is None else _id(message, member, errors)


# Of both dialects.
COMMON_EVENTS: dict[str, Reader] = {
    "input_audio_buffer.append": _append,
    "input_audio_buffer.commit": _commit,
    "input_audio_buffer.clear": _clear,
    "conversation.item.create": _item_create,
    "conversation.item.retrieve": _item_retrieve,
    "conversation.item.delete": _item_delete,
    "conversation.item.truncate": _item_truncate,
    "response.cancel": _response_cancel,
    "output_audio_buffer.clear": _webrtc_only,
}
GA_EVENTS: dict[str, Reader] = {
    "session.update": _session_update,
    "response.create": _response_create,
    **COMMON_EVENTS,
}
