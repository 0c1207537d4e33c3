"""Why a call ends that its client has done nothing to end."""

from __future__ import annotations

from dialtone.gateway.core.effects import Expelled


def session_deleted() -> Expelled:
    return Expelled("session_deleted", "The session was deleted.", "session deleted")
