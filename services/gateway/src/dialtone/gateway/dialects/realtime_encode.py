"""Server events in the JSON of the GA Realtime protocol."""

from __future__ import annotations

from typing import Any

import msgspec

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.session import SessionConfig

from .realtime_item_events import item_event, with_audio

# Events without a form in the protocol, which clients would not expect.
UNSAID = (out.SentenceSpoken,)

# Members that a transcription session has; it says nothing.
_TRANSCRIPTION_MEMBERS = ("type", "object", "id", "expires_at", "include", "dialtone")

_encode = msgspec.json.Encoder().encode


def encode_event(event: out.ServerEvent, event_id: str) -> str | None:
    """One text frame, or None for an event without a form in the protocol.

    The core's events have the protocol's names, members and order already, but for a few.
    """
    if isinstance(event, UNSAID):
        return None
    if isinstance(event, out.SessionCreated | out.SessionUpdated):
        kind = "session.created" if isinstance(event, out.SessionCreated) else "session.updated"
        session = session_object(event.config, event.session_id, event.expires_at)
        return _encode({"type": kind, "event_id": event_id, "session": session}).decode()
    if isinstance(event, out.ItemAdded | out.ItemDone | out.ItemRetrieved):
        return item_event({"event_id": event_id, **with_audio(event)})
    if isinstance(event, out.ResponseCreated | out.ResponseDone):
        members = {"event_id": event_id, **msgspec.to_builtins(event)}
        del members["response"]["temperature"]  # of the beta protocol
        return _encode(members).decode()
    return f'{{"event_id":"{event_id}",{_encode(event)[1:].decode()}'


def session_object(config: SessionConfig, session_id: str, expires_at: int) -> dict[str, Any]:
    """The complete effective session, defaults filled in: clients read them from here.

    `expires_at` in unix seconds. Our own members are shown only to those who use them.
    """
    session: dict[str, Any] = {
        "type": config.type,
        "object": "realtime.session",
        "id": session_id,
        "expires_at": expires_at,
    }
    session |= msgspec.to_builtins(config)
    if not session["dialtone"]:
        del session["dialtone"]
    if config.type == "transcription":
        heard = session["audio"]["input"]
        session = {member: session[member] for member in _TRANSCRIPTION_MEMBERS if member in session}
        session |= {"object": "realtime.transcription_session", "audio": {"input": heard}}
    return session
