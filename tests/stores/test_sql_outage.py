"""SQL is away: sessions live on in Redis, and what was said reaches SQL when it is back."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.stores import Stores, StoreUnavailable
from tests.fixtures.valkey import ValkeyServer
from tests.fixtures.waiting import eventually
from tests.stores.conftest import OpenStores, ids, message, record
from tests.stores.databases import Database


async def sql_has(stores: Stores, session_id: str, item_ids: list[str]) -> bool:
    try:
        found = await stores.archive.get("default", session_id)
    except StoreUnavailable:
        return False
    return found is not None and ids(found) == item_ids


async def test_writes_wait_for_sql_and_reach_it_once_and_in_order(stores: Stores, database: Database) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    database.stop()
    await stores.sessions.put_item("default", "sess_1", message("b"), "a")
    await stores.sessions.put_item("default", "sess_1", message("c"), "b")
    await stores.sessions.put_item("default", "sess_1", message("b", "changed"), "a")
    await stores.sessions.delete_item("default", "sess_1", "a")
    await stores.sessions.put_config("default", "sess_1", SessionConfig(instructions="new"))
    await stores.sessions.create(record("sess_2", "default", message("x")))
    assert ids(await stores.sessions.get("default", "sess_1")) == ["b", "c"]
    assert ids(await stores.sessions.get("default", "sess_2")) == ["x"]

    database.start()
    await eventually(lambda: sql_has(stores, "sess_2", ["x"]))
    found = await stores.archive.get("default", "sess_1")
    assert ids(found) == ["b", "c"]
    assert found is not None
    assert found.items[0] == message("b", "changed")
    assert found.config.instructions == "new"


async def test_a_read_never_shows_sql_without_the_writes_that_wait(
    stores: Stores, database: Database, valkey: ValkeyServer
) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    database.stop()
    await stores.sessions.put_item("default", "sess_1", message("b"), "a")
    async with Redis.from_url(valkey.url) as redis:
        await redis.flushall()
    with pytest.raises(StoreUnavailable):
        await stores.sessions.get("default", "sess_1")

    database.start()
    assert ids(await stores.sessions.get("default", "sess_1")) == ["a", "b"]


async def test_a_call_goes_on_with_neither_store_and_nothing_is_lost(
    stores: Stores, database: Database, valkey: ValkeyServer
) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    database.stop()
    valkey.kill()
    await stores.sessions.put_item("default", "sess_1", message("b"), "a")
    with pytest.raises(StoreUnavailable):
        await stores.sessions.create(record("sess_2"))

    database.start()
    valkey.start()
    await eventually(lambda: sql_has(stores, "sess_1", ["a", "b"]))
    await eventually(stores.readiness["redis"])
    assert ids(await stores.sessions.get("default", "sess_1")) == ["a", "b"]


async def test_the_outbox_is_bounded_and_says_when_it_is_full(stores: Stores, database: Database) -> None:
    await stores.sessions.create(record())
    database.stop()
    for number in range(50):
        await stores.sessions.put_item("default", "sess_1", message(f"item_{number}"), None)
    with pytest.raises(StoreUnavailable):
        await stores.sessions.put_item("default", "sess_1", message("one too many"), None)


async def test_closing_waits_for_the_writes_that_wait(
    stores: Stores, open_more: OpenStores, database: Database
) -> None:
    await stores.sessions.create(record())
    database.stop()
    await stores.sessions.put_item("default", "sess_1", message("a"), None)
    closing = asyncio.create_task(stores.close(deadline_s=10))
    database.start()
    await closing
    assert await sql_has(await open_more(), "sess_1", ["a"])


async def test_a_write_whose_caller_was_cancelled_is_kept(stores: Stores) -> None:
    await stores.sessions.create(record())
    for number in range(20):
        write = asyncio.create_task(
            stores.sessions.put_item(
                "default", "sess_1", message(f"item_{number:02}"), f"item_{number - 1:02}"
            )
        )
        for _ in range(number):  # cancelled at another point each time
            await asyncio.sleep(0)
        write.cancel()
        await asyncio.gather(write, return_exceptions=True)

    started = [f"item_{number:02}" for number in range(1, 20)]  # the first never began to run

    async def all_there() -> bool:
        return ids(await stores.sessions.get("default", "sess_1")) == started

    await eventually(all_there)
    await eventually(lambda: sql_has(stores, "sess_1", started))
