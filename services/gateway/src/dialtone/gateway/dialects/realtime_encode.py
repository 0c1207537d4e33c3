"""Server events in the JSON of the GA Realtime protocol."""

from __future__ import annotations

from typing import Any

import msgspec

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.session import SessionConfig

# Events without a form in the protocol, which clients would not expect.
UNSAID = (out.SentenceSpoken,)

_encode = msgspec.json.Encoder().encode


def encode_event(event: out.ServerEvent, event_id: str) -> str | None:
    """One text frame, or None for an event without a form in the protocol.

    The core's events have the protocol's names, members and order already.
    """
    if isinstance(event, UNSAID):
        return None
    if isinstance(event, out.SessionCreated | out.SessionUpdated):
        kind = "session.created" if isinstance(event, out.SessionCreated) else "session.updated"
        return _encode({"type": kind, "event_id": event_id, "session": session_object(event)}).decode()
    return f'{{"event_id":"{event_id}",{_encode(event)[1:].decode()}'


def session_object(event: out.SessionCreated | out.SessionUpdated) -> dict[str, Any]:
    """The complete effective session, defaults filled in: clients read them from here.

    Our own members are shown only to those who use them.
    """
    config: SessionConfig = event.config
    session: dict[str, Any] = {
        "type": config.type,
        "object": "realtime.session",
        "id": event.session_id,
        "expires_at": event.expires_at,
    }
    session |= msgspec.to_builtins(config)
    if not session["dialtone"]:
        del session["dialtone"]
    return session
