"""A session that nobody used for long enough is deleted everywhere, with all that was said in it (S20)."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select, update

from dialtone.gateway.stores import Stores, UnknownSession, retention
from dialtone.gateway.stores.tables import items, sessions
from tests.fixtures.valkey import ValkeyServer
from tests.fixtures.waiting import eventually
from tests.stores.conftest import message, record

DAY_S = 86_400.0


async def aged(stores: Stores, session_id: str, days: float) -> None:
    """Have it last used so long ago."""
    old = update(sessions).where(sessions.c.id == session_id).values(updated_at=time.time() - days * DAY_S)
    async with stores.archive._engine.begin() as connection:
        await connection.execute(old)


async def items_in_sql(stores: Stores) -> int:
    async with stores.archive._engine.begin() as connection:
        return await connection.scalar(select(func.count()).select_from(items)) or 0


async def test_what_nobody_used_is_gone_from_both_stores_and_the_rest_is_not(stores: Stores) -> None:
    for number in range(250):  # more than go at once
        await stores.sessions.create(record(f"sess_{number}", "acme", message("item_1")))
        if number != 7:
            await aged(stores, f"sess_{number}", 31)
    await stores.sessions.create(record("sess_used", "acme", message("item_1")))
    await aged(stores, "sess_used", 31)
    await stores.sessions.put_item("acme", "sess_used", message("item_2"), "item_1")
    assert await stores.sessions.forget_unused(for_s=30 * DAY_S) == 249
    assert await stores.sessions.get("acme", "sess_8") is None
    assert await stores.link.client.keys("dialtone:acme:session:sess_8*") == []
    with pytest.raises(UnknownSession):
        await stores.sessions.put_item("acme", "sess_8", message("item_2"), None)
    for kept, said in (("sess_7", 1), ("sess_used", 2)):
        found = await stores.sessions.get("acme", kept)
        assert found is not None
        assert len(found.items) == said
    assert await items_in_sql(stores) == 3
    assert await stores.sessions.forget_unused(for_s=30 * DAY_S) == 0


async def test_a_copy_that_redis_could_not_be_told_to_drop_is_dropped_when_it_is_back(
    stores: Stores, valkey: ValkeyServer
) -> None:
    await stores.sessions.create(record("sess_1", "acme", message("item_1")))
    await aged(stores, "sess_1", 31)
    valkey.freeze()
    try:
        assert await stores.sessions.forget_unused(for_s=30 * DAY_S) == 1
        assert await stores.sessions.get("acme", "sess_1") is None
    finally:
        valkey.thaw()

    async def dropped() -> bool:
        return await Redis.from_url(valkey.url).exists("dialtone:acme:session:sess_1") == 0

    await eventually(dropped)


async def test_what_goes_wrong_once_does_not_keep_sessions_for_good(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stores.sessions.create(record("sess_1", "acme", message("item_1")))
    await aged(stores, "sess_1", 31)
    forget, tries = stores.sessions.forget_unused, 0

    async def wrong_at_first(*, for_s: float) -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("no outage")
        return await forget(for_s=for_s)

    monkeypatch.setattr(stores.sessions, "forget_unused", wrong_at_first)
    monkeypatch.setattr(retention, "PERIOD_S", 0.01)
    forgetting = asyncio.create_task(retention.forget_unused(stores.sessions, days=30))

    async def gone() -> bool:
        return await stores.sessions.get("acme", "sess_1") is None

    await eventually(gone)
    forgetting.cancel()
    await asyncio.wait({forgetting})
