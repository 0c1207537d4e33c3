"""Sessions in SQL, where they are kept for good, or until nobody has used them for as long as is set."""

from __future__ import annotations

import asyncio
import base64
import binascii
import builtins
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import BigInteger, and_, case, delete, func, insert, literal, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from dialtone.gateway.core.items import Item, SessionRecord
from dialtone.telemetry import get_logger

from .database import is_outage, open_database
from .errors import SessionDisplaced, SessionExists, StoreUnavailable, UnknownSession
from .metrics import FAILURES, STORE_UP
from .session_store import SessionPage, SessionSummary
from .tables import items, removed_items, sessions
from .writes import CreateSession, DeleteItem, PutConfig, PutItem, Write

log = get_logger(__name__)


class SqlArchive:
    """Sessions and items in two tables. Every method is one transaction of bounded length.

    All raise `StoreUnavailable` when the database cannot be reached or is too slow. Whether such a
    write was carried out is unknown; carrying it out again does no harm.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._engine: AsyncEngine = open_database(url, timeout_s=timeout_s)
        self._timeout_s = timeout_s

    async def close(self) -> None:
        await self._engine.dispose()

    async def ready(self) -> bool:
        try:
            async with self._transaction() as connection:
                await connection.execute(text("SELECT 1"))
        except StoreUnavailable:
            return False
        return True

    async def apply(self, write: Write) -> None:
        """Carry out a change. Raises `UnknownSession`, `SessionExists`, `SessionDisplaced`."""
        async with self._transaction() as connection:
            if isinstance(write, CreateSession):
                await self._create(connection, write.record)
                return
            # First of all the session's row: it tells whether there is one, and its lock makes writers
            # of the same session wait for each other before they read positions.
            here = and_(sessions.c.tenant == write.tenant, sessions.c.id == write.session_id)
            touched = update(sessions).where(here).values(updated_at=time.time())
            if write.epoch:
                touched = touched.values(epoch=_later(sessions.c.epoch, write.epoch))
                if not write.taken:
                    touched = touched.where(sessions.c.epoch <= write.epoch)
            if (await _changed(connection, touched)) == 0:
                seen = await connection.scalar(select(sessions.c.epoch).where(here))
                raise UnknownSession(write.session_id) if seen is None else SessionDisplaced(seen)
            if isinstance(write, PutConfig):
                config = update(sessions).where(here).values(config=write.config)
                if write.epoch:
                    config = config.where(sessions.c.config_epoch <= write.epoch)
                    config = config.values(config_epoch=write.epoch)
                await connection.execute(config)
            elif isinstance(write, PutItem):
                await _put_item(connection, write)
            elif isinstance(write, DeleteItem):
                await self._delete_item(connection, write)

    async def get(self, tenant: str, session_id: str) -> SessionRecord | None:
        session = select(sessions.c.created_at, sessions.c.config, sessions.c.epoch).where(
            sessions.c.tenant == tenant, sessions.c.id == session_id
        )
        conversation = (
            select(items.c.item)
            .where(items.c.tenant == tenant, items.c.session_id == session_id)
            .order_by(items.c.position, items.c.id)
        )
        async with self._transaction() as connection:
            row = (await connection.execute(session)).one_or_none()
            if row is None:
                return None
            found: list[Item] = list((await connection.execute(conversation)).scalars())
        return SessionRecord(session_id, tenant, row.created_at, row.config, found, row.epoch)

    async def list(self, tenant: str, *, limit: int, cursor: str | None) -> SessionPage:
        query = (
            select(sessions.c.id, sessions.c.created_at, sessions.c.config)
            .where(sessions.c.tenant == tenant)
            .order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(tuple_(sessions.c.created_at, sessions.c.id) < _read_cursor(cursor))
        async with self._transaction() as connection:
            rows = (await connection.execute(query)).all()
        found = [SessionSummary(row.id, row.created_at, row.config) for row in rows[:limit]]
        more = len(rows) > limit
        return SessionPage(found, _write_cursor(found[-1]) if more else None)

    async def delete(self, tenant: str, session_id: str) -> bool:
        statement = delete(sessions).where(sessions.c.tenant == tenant, sessions.c.id == session_id)
        async with self._transaction() as connection:
            return await _changed(connection, statement) > 0

    async def delete_unused(self, *, for_s: float, most: int) -> builtins.list[tuple[str, str]]:
        """Delete sessions, `most` at a time, to which nothing was written for so long; tenant, id of each."""
        unused = sessions.c.updated_at < time.time() - for_s
        longest = (
            select(sessions.c.tenant, sessions.c.id).where(unused).order_by(sessions.c.updated_at).limit(most)
        )
        # Asked twice: one that is written to meanwhile stays.
        statement = delete(sessions).where(unused, tuple_(sessions.c.tenant, sessions.c.id).in_(longest))
        async with self._transaction() as connection:
            gone = await connection.execute(statement.returning(sessions.c.tenant, sessions.c.id))
            return [(row.tenant, row.id) for row in gone]

    @property
    def _insert(self) -> Any:
        """The database's own, which can say what happens when there is such a row already."""
        return sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert

    async def _delete_item(self, connection: AsyncConnection, write: DeleteItem) -> None:
        gone = delete(items).where(_of_session(write), items.c.id == write.item_id)
        if write.epoch:
            gone = gone.where(items.c.epoch <= write.epoch)
        await connection.execute(gone)
        if write.inherited:
            row = {"tenant": write.tenant, "session_id": write.session_id, "id": write.item_id}
            removed = self._insert(removed_items).values(row | {"epoch": write.epoch})
            later = {"epoch": _later(removed_items.c.epoch, write.epoch)}
            await connection.execute(removed.on_conflict_do_update(index_elements=list(row), set_=later))

    async def _create(self, connection: AsyncConnection, record: SessionRecord) -> None:
        row = {
            "tenant": record.tenant,
            "id": record.id,
            "created_at": record.created_at,
            "updated_at": record.created_at,
            "config": record.config,
        }
        if await _changed(connection, self._insert(sessions).values(row).on_conflict_do_nothing()) == 0:
            raise SessionExists(record.id)
        if record.items:
            await connection.execute(
                insert(items),
                [
                    {
                        "tenant": record.tenant,
                        "session_id": record.id,
                        "id": item.id,
                        "position": position,
                        "item": item,
                    }
                    for position, item in enumerate(record.items)
                ],
            )

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with asyncio.timeout(self._timeout_s), self._engine.begin() as connection:
                yield connection
        except Exception as error:
            if not is_outage(error):
                raise
            FAILURES.labels("sql").inc()
            STORE_UP.labels("sql").set(0)
            log.warning("sql does not answer", error=type(error).__name__)
            raise StoreUnavailable("sql", type(error).__name__) from error
        STORE_UP.labels("sql").set(1)


def _of_session(write: Write) -> Any:
    return and_(items.c.tenant == write.tenant, items.c.session_id == write.session_id)


def _later(column: Any, epoch: int) -> Any:
    """The higher of a column's epoch and this one."""
    given = literal(epoch, BigInteger)
    return case((column < given, given), else_=column)


async def _changed(connection: AsyncConnection, statement: Any) -> int:
    result: CursorResult[Any] = await connection.execute(statement)
    return result.rowcount


async def _put_item(connection: AsyncConnection, write: PutItem) -> None:
    here = _of_session(write)

    def of_item(column: Any, item_id: str | None) -> Any:
        return select(column).where(here, items.c.id == item_id).scalar_subquery()

    last_position = select(func.max(items.c.position)).where(here).scalar_subquery()
    removal = (
        select(removed_items.c.epoch)
        .where(
            removed_items.c.tenant == write.tenant,
            removed_items.c.session_id == write.session_id,
            removed_items.c.id == write.item.id,
        )
        .scalar_subquery()
    )
    found = select(
        of_item(items.c.position, write.item.id),
        of_item(items.c.epoch, write.item.id),
        removal,
        of_item(items.c.position, write.after),
        last_position,
    )
    own, written, removed, before, last = (await connection.execute(found)).one()
    if write.epoch and write.epoch < max(written or 0, removed or 0):
        return  # a later call has changed it since, or removed it
    if own is not None:
        change = update(items).where(here, items.c.id == write.item.id).values(item=write.item)
        await connection.execute(change.values(epoch=write.epoch) if write.epoch else change)
        return
    end = 0 if last is None else last + 1
    position = end if before is None else before + 1
    if write.after is None:
        position = 0
    if position < end:
        await connection.execute(
            update(items).where(here, items.c.position >= position).values(position=items.c.position + 1)
        )
    await connection.execute(
        insert(items).values(
            tenant=write.tenant,
            session_id=write.session_id,
            id=write.item.id,
            position=position,
            item=write.item,
            epoch=write.epoch,
        )
    )


def _write_cursor(last: SessionSummary) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((last.created_at, last.id))).decode()


def _read_cursor(cursor: str) -> tuple[float, str]:
    try:
        text_form = base64.b64decode(cursor, altchars=b"-_", validate=True)
        return msgspec.json.decode(text_form, type=tuple[float, str])
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise ValueError("not a cursor that a list gave") from error
