"""The SQL tables. A change here needs a revision under `migrations/versions`."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

from dialtone.gateway.core.items import Item
from dialtone.gateway.core.session import SessionConfig


class StructJson(TypeDecorator[Any]):
    """A msgspec type, kept as JSON."""

    impl = JSON
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, _dialect: Dialect) -> Any:
        return msgspec.to_builtins(value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        return msgspec.convert(value, self.kind)


metadata = MetaData()

sessions = Table(
    "sessions",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("config", StructJson(SessionConfig), nullable=False),
    # The highest of the calls' claims that the session has seen; see `call_registry`.
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    # That of the call that wrote the configuration.
    Column("config_epoch", BigInteger, nullable=False, server_default="0"),
    Index("sessions_newest_first", "tenant", "created_at", "id"),
    # For those that nobody used for long, of all tenants.
    Index("sessions_longest_unused", "updated_at"),
)

items = Table(
    "items",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("session_id", String(64), primary_key=True),
    Column("id", String(255), primary_key=True),
    # Not unique: inserting in the middle shifts the ones behind it in one statement.
    Column("position", Integer, nullable=False),
    Column("item", StructJson(Item), nullable=False),
    # That of the call that wrote it last.
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    ForeignKeyConstraint(["tenant", "session_id"], ["sessions.tenant", "sessions.id"], ondelete="CASCADE"),
    Index("items_in_order", "tenant", "session_id", "position"),
)

# Items that a call removed which had found them there: what earlier calls wrote of them may come yet.
removed_items = Table(
    "removed_items",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("session_id", String(64), primary_key=True),
    Column("id", String(255), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant", "session_id"], ["sessions.tenant", "sessions.id"], ondelete="CASCADE"),
)
