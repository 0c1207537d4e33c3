"""Why a call ends that its client has done nothing to end."""

from __future__ import annotations

from dialtone.gateway.core.effects import Expelled


def session_deleted() -> Expelled:
    return Expelled("session_deleted", "The session was deleted.", "session deleted")


def key_withdrawn() -> Expelled:
    return Expelled(
        "key_withdrawn", "The key that this call was opened with counts no more.", "key withdrawn"
    )
