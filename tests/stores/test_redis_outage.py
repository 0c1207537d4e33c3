"""Redis dies, hangs or comes back empty: nothing that was said is lost, and nobody waits long."""

from __future__ import annotations

import time

import pytest
from redis.asyncio import Redis

from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.stores import Stores, StoreUnavailable
from tests.fixtures.valkey import ValkeyServer
from tests.fixtures.waiting import eventually
from tests.stores.conftest import OpenStores, ids, message, record

KEY = "dialtone:default:session:sess_1"


async def copied(valkey: ValkeyServer, item_id: str) -> bool:
    async with Redis.from_url(valkey.url) as redis:
        return bool(await redis.hexists(KEY, f"item:{item_id}"))


async def test_a_session_goes_on_when_redis_is_killed(stores: Stores, valkey: ValkeyServer) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    valkey.kill()
    await stores.sessions.put_item("default", "sess_1", message("b"), "a")
    assert ids(await stores.sessions.get("default", "sess_1")) == ["a", "b"]
    assert not await stores.readiness["redis"]()
    assert await stores.readiness["sql"]()

    await stores.sessions.create(record("sess_2"))
    assert ids(await stores.sessions.get("default", "sess_2")) == []
    assert await stores.sessions.delete("default", "sess_2")


async def test_redis_has_the_session_again_within_5_s_of_coming_back_empty(
    stores: Stores, valkey: ValkeyServer
) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    valkey.kill()
    await stores.sessions.put_item("default", "sess_1", message("b"), "a")
    valkey.start()
    await eventually(lambda: copied(valkey, "b"), within_s=5)
    await eventually(stores.readiness["redis"], within_s=5)
    assert ids(await stores.sessions.get("default", "sess_1")) == ["a", "b"]


async def test_a_redis_that_hangs_holds_nobody_up(stores: Stores, valkey: ValkeyServer) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    valkey.freeze()
    try:
        began = time.monotonic()
        await stores.sessions.put_item("default", "sess_1", message("b"), "a")
        first = time.monotonic() - began
        for number in range(20):  # these know already
            await stores.sessions.put_item("default", "sess_1", message(f"c{number}"), "b")
        assert "b" in ids(await stores.sessions.get("default", "sess_1"))
        rest = time.monotonic() - began - first
    finally:
        valkey.thaw()
    assert first < 3.0  # 0.5 s for Redis, and SQL
    assert rest < 7.0  # without waiting for Redis 21 times


async def test_what_a_hanging_redis_missed_is_not_read_from_it_later(
    stores: Stores, open_more: OpenStores, valkey: ValkeyServer
) -> None:
    other_gateway = await open_more()
    await stores.sessions.create(record("sess_1", "default", message("a")))
    valkey.freeze()
    try:
        await stores.sessions.put_item("default", "sess_1", message("b"), "a")
        await stores.sessions.delete_item("default", "sess_1", "a")
        await stores.sessions.put_config("default", "sess_1", SessionConfig(instructions="new"))
    finally:
        valkey.thaw()
    found = await stores.sessions.get("default", "sess_1")
    assert ids(found) == ["b"]
    assert found is not None
    assert found.config.instructions == "new"

    async def others_see_it() -> bool:
        seen = await other_gateway.sessions.get("default", "sess_1")
        return ids(seen) == ["b"] and seen is not None and seen.config.instructions == "new"

    await eventually(others_see_it, within_s=5)


async def test_a_session_deleted_while_redis_was_down_stays_deleted(
    stores: Stores, valkey: ValkeyServer
) -> None:
    await stores.sessions.create(record())
    valkey.freeze()
    try:
        assert await stores.sessions.delete("default", "sess_1")
    finally:
        valkey.thaw()
    assert await stores.sessions.get("default", "sess_1") is None
    await eventually(stores.readiness["redis"])
    assert await stores.sessions.get("default", "sess_1") is None


async def test_a_copy_that_expired_during_a_call_is_made_again(stores: Stores, valkey: ValkeyServer) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    async with Redis.from_url(valkey.url) as redis:
        await redis.delete(KEY)
    await stores.sessions.put_item("default", "sess_1", message("b"), "a")
    await eventually(lambda: copied(valkey, "b"))
    assert await copied(valkey, "a")


async def test_an_unreadable_copy_is_read_from_sql(stores: Stores, valkey: ValkeyServer) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    async with Redis.from_url(valkey.url) as redis:
        await redis.hset(KEY, "item:a", b'{"type":"of a later version"}')
    assert ids(await stores.sessions.get("default", "sess_1")) == ["a"]


@pytest.mark.parametrize("fault", ["kill", "freeze"])
async def test_no_call_is_claimed_without_redis(stores: Stores, valkey: ValkeyServer, fault: str) -> None:
    getattr(valkey, fault)()
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await stores.calls.claim("default", "sess_1", call_id="call_1")
        assert time.monotonic() - began < 3.0  # its client would take 25 s
    finally:
        if fault == "freeze":
            valkey.thaw()
        else:
            valkey.start()
    await eventually(stores.readiness["redis"], within_s=5)
    assert await stores.calls.claim("default", "sess_1", call_id="call_1")
