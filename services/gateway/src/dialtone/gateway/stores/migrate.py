"""Bringing the database's tables up to date, by any number of gateways that start together."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from dialtone.telemetry import get_logger

from .database import is_outage, open_database
from .errors import StoreUnavailable

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x6469616C746F6E65  # "dialtone", the advisory lock's number
_RETRY_S = 0.5
log = get_logger(__name__)


async def migrate(url: str, *, deadline_s: float = 30.0) -> None:
    """Apply what revisions are missing; one process does it while the others wait.

    A database that cannot be reached is tried again until `deadline_s` seconds are over, then
    `StoreUnavailable` is raised. Errors in a revision are raised as they are.
    """
    engine = open_database(url, timeout_s=deadline_s)
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                try:
                    return await _upgrade(engine)
                except Exception as error:
                    if not is_outage(error):
                        raise
                    log.warning("database is not ready", error=type(error).__name__)
                    await asyncio.sleep(_RETRY_S)
    except TimeoutError as error:
        raise StoreUnavailable("sql", f"no database to migrate after {deadline_s:g} s") from error
    finally:
        await engine.dispose()


async def _upgrade(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        # The lock comes before Alembic looks at the version, and goes with the transaction.
        if engine.dialect.name == "sqlite":
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        await connection.run_sync(_run_alembic)
        await connection.commit()


def _run_alembic(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
