"""A database server that says that its disk is full: what was said waits until there is room."""

from __future__ import annotations

import asyncpg
import pytest

from dialtone.gateway.stores import Stores
from tests.fixtures.waiting import eventually
from tests.stores.conftest import ids, message, record
from tests.stores.databases import Database

# 53100 is disk_full: https://www.postgresql.org/docs/current/errcodes-appendix.html
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON items EXECUTE FUNCTION full_disk();
"""


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_items_wait_for_room(stores: Stores, database: Database) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    server = await asyncpg.connect(database.url.replace("+asyncpg", ""))
    try:
        await server.execute(FULL)
        await stores.sessions.put_item("default", "sess_1", message("b"), "a")
        await stores.sessions.put_item("default", "sess_1", message("c"), "b")
        assert ids(await stores.sessions.get("default", "sess_1")) == ["a", "b", "c"]
        await server.execute("DROP FUNCTION full_disk CASCADE")
    finally:
        await server.close()

    async def stored() -> bool:
        return ids(await stores.archive.get("default", "sess_1")) == ["a", "b", "c"]

    await eventually(stored)
