"""The seam between whatever needs sessions and whatever keeps them."""

from __future__ import annotations

from typing import Protocol

import msgspec

from dialtone.gateway.core.items import Item, SessionRecord
from dialtone.gateway.core.session import SessionConfig


class SessionSummary(msgspec.Struct, frozen=True):
    """A session as a list shows it."""

    id: str
    created_at: float  # unix seconds
    config: SessionConfig


class SessionPage(msgspec.Struct, frozen=True):
    sessions: list[SessionSummary]
    next_cursor: str | None  # gives the page after this one; None at the end


class SessionStore(Protocol):
    """Keeps sessions, each under its tenant; no tenant can see another's.

    Writes of one session take effect in the order in which they were called. A call's have the `epoch` of
    its claim, and raise `SessionDisplaced` when a later one has written to the session; 0: no call's.
    All of these raise `StoreUnavailable` when no store is left that could answer.
    """

    async def create(self, record: SessionRecord) -> None:
        """Keep a new session. Raises `SessionExists`."""

    async def get(self, tenant: str, session_id: str) -> SessionRecord | None: ...

    async def list(self, tenant: str, *, limit: int, cursor: str | None = None) -> SessionPage:
        """Sessions without their items, newest first. Raises `ValueError` for a cursor that is none."""

    async def delete(self, tenant: str, session_id: str) -> bool:
        """Forget a session; False if there was none."""

    async def fence(self, tenant: str, session_id: str, epoch: int) -> int:
        """Refuse writes of earlier epochs from now on.

        Gives the highest epoch that the session has seen: a higher one than `epoch` has not been fenced
        off, and this one's writes would be refused. A session that does not exist has seen none.
        """

    async def settle(self, tenant: str, session_id: str) -> None:
        """Before others may read a session that this process has written to: let them find all of it."""

    async def put_config(
        self, tenant: str, session_id: str, config: SessionConfig, *, epoch: int = 0
    ) -> None:
        """Replace the configuration. Raises `UnknownSession`."""

    async def put_item(
        self, tenant: str, session_id: str, item: Item, after: str | None, *, epoch: int = 0
    ) -> None:
        """Replace the item of this id where it stands, or insert it behind the item `after`.

        None is the front; an `after` that is not there (any more) is the end. Raises `UnknownSession`.
        """

    async def delete_item(
        self, tenant: str, session_id: str, item_id: str, *, epoch: int = 0, inherited: bool = False
    ) -> None:
        """Remove an item; one that is not there is no error. Raises `UnknownSession`.

        `inherited`: it was there when the call began, so that writes of an earlier one may still be on
        their way.
        """
