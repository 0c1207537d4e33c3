"""What a session store promises while everything is up, on both databases."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from dialtone.gateway.core.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    Item,
    MessageItem,
)
from dialtone.gateway.core.session import AudioFormat, SemanticVad, SessionConfig
from dialtone.gateway.stores import SessionExists, Stores, UnknownSession
from tests.fixtures.valkey import ValkeyServer
from tests.stores.conftest import OpenStores, ids, message, record


async def empty_redis(valkey: ValkeyServer) -> None:
    async with Redis.from_url(valkey.url) as redis:
        await redis.flushall()


async def test_a_session_is_read_back_as_it_was_created(stores: Stores, valkey: ValkeyServer) -> None:
    items: list[Item] = [
        MessageItem(id="item_u", role="user", content=[InputAudio("你好")]),
        FunctionCallItem(id="item_f", call_id="call_1", name="weather", arguments='{"city":"Paris"}'),
        FunctionCallOutputItem(id="item_o", call_id="call_1", output="sunny"),
        message("item_a", 'quotes " and \\ and \u2028'),
    ]
    created = record("sess_1", "default", *items)
    await stores.sessions.create(created)

    assert await stores.sessions.get("default", "sess_1") == created
    await empty_redis(valkey)
    assert await stores.sessions.get("default", "sess_1") == created  # from SQL
    assert await stores.sessions.get("default", "sess_1") == created  # from the new copy in Redis


async def test_a_session_that_was_never_created_is_not_found(stores: Stores) -> None:
    assert await stores.sessions.get("default", "sess_none") is None


async def test_the_same_id_cannot_be_created_twice(stores: Stores) -> None:
    first = record()
    await stores.sessions.create(first)
    with pytest.raises(SessionExists):
        await stores.sessions.create(record("sess_1", "default", message("item_1")))
    assert await stores.sessions.get("default", "sess_1") == first


async def test_a_session_outlives_the_store_that_wrote_it(
    stores: Stores, open_more: OpenStores, valkey: ValkeyServer
) -> None:
    await stores.sessions.create(record())
    await stores.sessions.put_item("default", "sess_1", message("item_1"), None)
    await stores.close()
    await empty_redis(valkey)

    later = await open_more()
    assert ids(await later.sessions.get("default", "sess_1")) == ["item_1"]


async def test_a_read_from_sql_fills_redis_again(stores: Stores, valkey: ValkeyServer) -> None:
    await stores.sessions.create(record("sess_1", "acme", message("item_1")))
    await empty_redis(valkey)
    await stores.sessions.get("acme", "sess_1")

    async with Redis.from_url(valkey.url) as redis:
        assert await redis.hexists("dialtone:acme:session:sess_1", "item:item_1")
        assert 0 < await redis.ttl("dialtone:acme:session:sess_1") <= 86_400


@pytest.mark.parametrize("source", ["redis", "sql"])
async def test_items_stand_where_they_were_put(stores: Stores, valkey: ValkeyServer, source: str) -> None:
    await stores.sessions.create(record())
    put = stores.sessions.put_item
    await put("default", "sess_1", message("b"), None)
    await put("default", "sess_1", message("d"), "b")
    await put("default", "sess_1", message("c"), "b")
    await put("default", "sess_1", message("a"), None)
    await put("default", "sess_1", message("e"), "no such item")
    if source == "sql":
        await empty_redis(valkey)
    assert ids(await stores.sessions.get("default", "sess_1")) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("source", ["redis", "sql"])
async def test_an_item_is_replaced_where_it_stands(stores: Stores, valkey: ValkeyServer, source: str) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a"), message("b"), message("c")))
    changed = message("b", "now this")
    await stores.sessions.put_item("default", "sess_1", changed, None)
    if source == "sql":
        await empty_redis(valkey)
    found = await stores.sessions.get("default", "sess_1")
    assert ids(found) == ["a", "b", "c"]
    assert found is not None
    assert found.items[1] == changed


@pytest.mark.parametrize("source", ["redis", "sql"])
async def test_a_deleted_item_is_gone_and_the_others_stay(
    stores: Stores, valkey: ValkeyServer, source: str
) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a"), message("b")))
    await stores.sessions.delete_item("default", "sess_1", "a")
    await stores.sessions.delete_item("default", "sess_1", "a")
    await stores.sessions.delete_item("default", "sess_1", "b")
    await stores.sessions.put_item("default", "sess_1", message("c"), None)
    if source == "sql":
        await empty_redis(valkey)
    assert ids(await stores.sessions.get("default", "sess_1")) == ["c"]


@pytest.mark.parametrize("source", ["redis", "sql"])
async def test_a_configuration_is_replaced(stores: Stores, valkey: ValkeyServer, source: str) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    plain = SessionConfig()
    audio = msgspec.structs.replace(
        plain.audio,
        input=msgspec.structs.replace(
            plain.audio.input, format=AudioFormat("audio/pcmu"), turn_detection=SemanticVad("high")
        ),
    )
    config = msgspec.structs.replace(plain, audio=audio)
    await stores.sessions.put_config("default", "sess_1", config)
    if source == "sql":
        await empty_redis(valkey)
    found = await stores.sessions.get("default", "sess_1")
    assert found is not None
    assert found.config == config
    assert ids(found) == ["a"]


async def test_writing_to_a_session_that_is_not_there_says_so(stores: Stores) -> None:
    with pytest.raises(UnknownSession):
        await stores.sessions.put_item("default", "sess_none", message("a"), None)
    with pytest.raises(UnknownSession):
        await stores.sessions.put_config("default", "sess_none", SessionConfig())
    with pytest.raises(UnknownSession):
        await stores.sessions.delete_item("default", "sess_none", "a")


async def test_a_deleted_session_is_gone(stores: Stores) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    assert await stores.sessions.delete("default", "sess_1")
    assert await stores.sessions.get("default", "sess_1") is None
    assert not await stores.sessions.delete("default", "sess_1")
    with pytest.raises(UnknownSession):
        await stores.sessions.put_item("default", "sess_1", message("b"), "a")


async def test_no_tenant_sees_or_touches_another_ones_sessions(stores: Stores) -> None:
    mine = record("sess_1", "mine", message("a"))
    await stores.sessions.create(mine)

    assert await stores.sessions.get("theirs", "sess_1") is None
    assert (await stores.sessions.list("theirs", limit=10)).sessions == []
    assert not await stores.sessions.delete("theirs", "sess_1")
    with pytest.raises(UnknownSession):
        await stores.sessions.put_item("theirs", "sess_1", message("b"), None)
    with pytest.raises(UnknownSession):
        await stores.sessions.put_config("theirs", "sess_1", SessionConfig())

    theirs = record("sess_1", "theirs")
    await stores.sessions.create(theirs)
    await stores.sessions.delete("theirs", "sess_1")
    assert await stores.sessions.get("mine", "sess_1") == mine


async def test_a_list_goes_through_all_sessions_once_newest_first(stores: Stores) -> None:
    for number in range(7):
        created = record(f"sess_{number}")
        created.created_at = 1000.0 + number // 3  # some of the same time
        await stores.sessions.create(created)

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await stores.sessions.list("default", limit=2, cursor=cursor)
        seen += [session.id for session in page.sessions]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"sess_{number}" for number in (6, 5, 4, 3, 2, 1, 0)]


async def test_a_made_up_cursor_is_refused(stores: Stores) -> None:
    for cursor in ("", "nonsense", "WzEsMl0=", "é", "W10="):
        with pytest.raises(ValueError, match="cursor"):
            await stores.sessions.list("default", limit=2, cursor=cursor)


async def test_writes_of_many_tasks_keep_all_items(stores: Stores, valkey: ValkeyServer) -> None:
    await stores.sessions.create(record())
    async with asyncio.TaskGroup() as group:
        for number in range(30):
            group.create_task(
                stores.sessions.put_item("default", "sess_1", message(f"item_{number}"), "item_0")
            )
    from_redis = ids(await stores.sessions.get("default", "sess_1"))
    await empty_redis(valkey)
    assert ids(await stores.sessions.get("default", "sess_1")) == from_redis
    assert len(set(from_redis)) == 30
