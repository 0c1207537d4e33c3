"""The tables that migrations make are those that the code expects, however many start at once."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from dialtone.gateway.stores import StoreUnavailable
from dialtone.gateway.stores.database import open_database
from dialtone.gateway.stores.migrate import migrate
from dialtone.gateway.stores.tables import metadata
from tests.stores.databases import Database

_PROGRAM = """
import asyncio, sys
from dialtone.gateway.stores.migrate import migrate
asyncio.run(migrate(sys.argv[1]))
"""


async def test_migrated_tables_are_those_of_the_code(database: Database) -> None:
    await migrate(database.url)

    def difference(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    engine = open_database(database.url, timeout_s=5)
    async with engine.connect() as connection:
        assert await connection.run_sync(difference) == []
    await engine.dispose()


async def test_migrating_again_changes_nothing(database: Database) -> None:
    await migrate(database.url)
    await migrate(database.url)


async def test_an_index_that_was_made_by_hand_is_taken_as_it_is(database: Database) -> None:
    await migrate(database.url)
    engine = open_database(database.url, timeout_s=5)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0003'"))
    await migrate(database.url)
    async with engine.connect() as connection:
        indexes = await connection.run_sync(lambda sync: inspect(sync).get_indexes("sessions"))
    await engine.dispose()
    assert "sessions_longest_unused" in {index["name"] for index in indexes}


async def test_gateways_that_start_together_migrate_once(database: Database) -> None:
    starting = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PROGRAM, database.url, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    here = [migrate(database.url), migrate(database.url)]
    await asyncio.gather(*here)
    for process in starting:
        _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()

    engine = open_database(database.url, timeout_s=5)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).all() == [
            ("0004",)
        ]
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await engine.dispose()
    assert {"sessions", "items"} <= set(tables)


async def test_migrating_waits_for_a_database_that_is_starting(database: Database) -> None:
    await migrate(database.url)  # so that there is a file to lock
    database.stop()
    waiting = asyncio.create_task(migrate(database.url, deadline_s=30))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    database.start()
    await waiting


async def test_migrating_gives_up_after_its_deadline(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await migrate(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/x.db", deadline_s=0.8)


async def test_an_unknown_kind_of_database_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="mysql"):
        await migrate("mysql+aiomysql://127.0.0.1/x")
