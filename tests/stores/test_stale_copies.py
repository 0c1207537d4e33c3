"""A Redis copy that missed what one gateway wrote is no other gateway's idea of the session."""

from __future__ import annotations

import time

from redis.asyncio import Redis

from dialtone.bus import Bus
from dialtone.gateway.runtime.ownership import Ownership
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import Stores
from dialtone.gateway.stores.stored_sessions import StoredSessions
from tests.fixtures.valkey import ValkeyServer
from tests.fixtures.waiting import eventually
from tests.stores.conftest import OpenStores, ids, message, record

KEY = "dialtone:default:session:sess_1"
SESSION = ("default", "sess_1")


def without_repair(stores: Stores) -> StoredSessions:
    """As in the moment before it begins: it would be over too soon to be met."""
    assert stores.sessions._repair is not None
    stores.sessions._repair.cancel()
    return stores.sessions


async def test_a_call_that_ends_leaves_the_next_one_all_that_it_wrote(
    bus: Bus, stores: Stores, open_more: OpenStores, valkey: ValkeyServer
) -> None:
    others = await open_more()
    sessions = without_repair(stores)
    owners = Ownership(GatewaySettings(), bus, sessions, stores.calls, leave=lambda _call_id, _deleted: None)
    await sessions.create(record("sess_1", "default", message("a")))
    epoch = await owners.take(SESSION, "call_1", resumed=True)
    valkey.freeze()
    try:
        await sessions.put_item(*SESSION, message("b"), "a", epoch=epoch)
        await sessions.put_item(*SESSION, message("c"), "b", epoch=epoch)
    finally:
        valkey.thaw()
    await eventually(stores.readiness["redis"])
    await owners.release(SESSION, "call_1")
    assert ids(await others.sessions.get(*SESSION)) == ["a", "b", "c"]


async def test_a_call_that_resumes_right_after_an_outage_waits_for_copies_to_be_mended(
    stores: Stores, open_more: OpenStores, valkey: ValkeyServer
) -> None:
    others = await open_more()
    await stores.sessions.create(record("sess_1", "default", message("a")))
    valkey.freeze()
    try:
        await stores.sessions.put_item(*SESSION, message("b"), "a")
        await stores.sessions.put_item(*SESSION, message("c"), "b")
        assert not await others.readiness["redis"]()
    finally:
        valkey.thaw()
    await eventually(others.readiness["redis"])
    began = time.monotonic()
    await others.sessions.fence(*SESSION, 7)
    assert time.monotonic() - began > 0.5
    assert ids(await others.sessions.get(*SESSION)) == ["a", "b", "c"]
    began = time.monotonic()
    await others.sessions.fence(*SESSION, 8)
    assert time.monotonic() - began < 0.5


async def test_a_late_repair_takes_nothing_from_the_call_that_came_after(
    stores: Stores, open_more: OpenStores, valkey: ValkeyServer
) -> None:
    others = await open_more()
    sessions = without_repair(stores)
    await sessions.create(record("sess_1", "default", message("a")))
    before = await sessions.get(*SESSION)
    assert before is not None
    assert await others.sessions.fence(*SESSION, 7) == 7
    await others.sessions.put_item(*SESSION, message("b"), "a", epoch=7)
    await sessions._live.fill(before, over=6)  # as SQL was before that, by a call whose write was missed
    assert ids(await others.sessions.get(*SESSION)) == ["a", "b"]
    async with Redis.from_url(valkey.url) as redis:
        await redis.delete(KEY)
        await sessions._live.fill(before, over=6)  # while nobody has made another
        assert await redis.hexists(KEY, "item:a")
