"""A session that nobody used for long enough is deleted everywhere, with all that was said in it (S20)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import event, func, insert, select, text, update

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


async def test_the_few_that_nobody_used_are_found_without_reading_all_sessions(stores: Stores) -> None:
    engine, now = stores.archive._engine, time.time()
    made = {"tenant": "acme", "created_at": now, "config": record().config}
    rows = [made | {"id": f"sess_{days}", "updated_at": now - days * DAY_S} for days in range(4_000)]
    for first in range(0, len(rows), 500):  # each for the time that a statement may take
        async with engine.begin() as connection:
            await connection.execute(insert(sessions), rows[first : first + 500])
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE sessions"))
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    gone = await stores.archive.delete_unused(for_s=3_899.5 * DAY_S, most=200)
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    assert len(gone) == 100
    ((statement, parameters),) = [(one, given) for one, given in asked if one.startswith("DELETE")]
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    async with engine.connect() as connection:
        answer = await connection.exec_driver_sql(f"{explain} {statement}", parameters)
        plan = "\n".join(str(row) for row in answer)
    assert "sessions_longest_unused" in plan
    assert "SCAN sessions" not in plan
    assert "Seq Scan on sessions" not in plan


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
