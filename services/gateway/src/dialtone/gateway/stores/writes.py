"""Changes of stored sessions as values, so that they can be carried out later and more than once."""

from __future__ import annotations

import msgspec

from dialtone.gateway.core.items import Item, SessionRecord
from dialtone.gateway.core.session import SessionConfig


class Write(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One change. Carrying it out twice in order is the same as once."""

    tenant: str
    session_id: str


class CreateSession(Write, frozen=True, kw_only=True):
    record: SessionRecord


class PutConfig(Write, frozen=True, kw_only=True):
    config: SessionConfig


class PutItem(Write, frozen=True, kw_only=True):
    item: Item
    after: str | None


class DeleteItem(Write, frozen=True, kw_only=True):
    item_id: str


def size_of(write: Write) -> int:
    """Bytes of the change as JSON."""
    return len(msgspec.json.encode(write))
