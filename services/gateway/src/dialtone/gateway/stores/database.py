"""The database engine: SQLite (WAL) or PostgreSQL, with every wait bounded."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import event, exc
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

# Primary result codes of SQLite, and classes of SQLSTATE, that say "not now" rather than "never".
_SQLITE_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
}
_SQLSTATE_PASSING = {
    "08",  # connection
    "25",  # a read-only server, as during a failover
    "28",  # refused login: wrong until it is set right
    "40",  # serialisation, deadlock
    "53",  # out of connections, memory, disk
    "55",  # lock not available
    "57",  # shutting down, starting up, cancelled
    "58",  # the server's own disk
}


def open_database(url: str, *, timeout_s: float) -> AsyncEngine:
    """An engine for `url`; nothing is connected yet.

    A wait for the database's own locks ends before `timeout_s`, so that callers learn the reason
    rather than that time ran out.
    """
    backend = make_url(url).get_backend_name()
    if backend == "sqlite":
        engine = create_async_engine(
            url,
            pool_size=5,
            max_overflow=0,
            pool_timeout=timeout_s,
            connect_args={"timeout": timeout_s * 0.75},
            hide_parameters=True,  # what was said is among them, and errors are logged
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        return engine
    if backend != "postgresql":
        raise ValueError(f"no support for {backend}: use sqlite+aiosqlite:// or postgresql+asyncpg://")
    return create_async_engine(
        url,
        pool_size=10,
        max_overflow=0,
        pool_timeout=timeout_s,
        pool_pre_ping=True,
        connect_args={"timeout": timeout_s, "command_timeout": timeout_s},
        hide_parameters=True,
    )


def is_outage(error: Exception) -> bool:
    """Whether the same statement may succeed later: the trouble is the database's, not the statement's."""
    if isinstance(error, (OSError, exc.TimeoutError)):
        return True
    cause: object = error
    if isinstance(error, exc.DBAPIError):
        if error.connection_invalidated:
            return True
        cause = error.orig
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return (code & 0xFF) in _SQLITE_PASSING
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return str(state)[:2] in _SQLSTATE_PASSING
    # What a driver says without a code: a connection that was lost under it.
    return isinstance(error, exc.InterfaceError)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # With WAL this risks the last transactions at a power failure, not at a crash of the process.
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
