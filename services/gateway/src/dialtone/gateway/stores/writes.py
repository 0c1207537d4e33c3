"""Changes of stored sessions as values, so that they can be carried out later and more than once."""

from __future__ import annotations

import msgspec

from dialtone.gateway.core.items import Item, SessionRecord
from dialtone.gateway.core.session import SessionConfig


class Write(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One change. Carrying it out twice in order is the same as once."""

    tenant: str
    session_id: str
    # Of the claim of the call that makes the change; one below the highest that the session has seen
    # comes too late. 0: a change that no call makes, which is never too late.
    epoch: int = 0
    # Redis has it, and it was not too late there: SQL takes it however late it comes, up to what later
    # calls have written over it.
    taken: bool = False


class CreateSession(Write, frozen=True, kw_only=True):
    record: SessionRecord


class PutConfig(Write, frozen=True, kw_only=True):
    config: SessionConfig


class PutItem(Write, frozen=True, kw_only=True):
    item: Item
    after: str | None


class DeleteItem(Write, frozen=True, kw_only=True):
    item_id: str
    inherited: bool = False  # from an earlier call


class Fence(Write, frozen=True, kw_only=True):
    """From now on changes of earlier epochs are refused."""


def size_of(write: Write) -> int:
    """Bytes of the change as JSON."""
    return len(msgspec.json.encode(write))
