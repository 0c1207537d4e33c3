"""Of two gateways that hold a session, only the one that came last can write to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dialtone.gateway.core.items import MessageItem
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import SessionDisplaced, Stores, StoreUnavailable, open_stores
from dialtone.gateway.stores.writes import CreateSession, DeleteItem, PutConfig, PutItem, Write
from tests.fixtures.valkey import ValkeyServer
from tests.fixtures.waiting import eventually
from tests.stores.conftest import OpenStores, ids, message, record
from tests.stores.databases import Database, SqliteFile

HERE = ("default", "sess_1")


async def claim(stores: Stores, call_id: str, *, over: str = "") -> int:
    epoch = await stores.calls.claim(*HERE, call_id=call_id, over=over)
    assert epoch is not None
    assert await stores.sessions.fence(*HERE, epoch) == epoch
    return epoch


async def refused(stores: Stores, epoch: int) -> None:
    """Every kind of write of this epoch is."""
    with pytest.raises(SessionDisplaced):
        await stores.sessions.put_item(*HERE, message("item_late"), None, epoch=epoch)
    with pytest.raises(SessionDisplaced):
        await stores.sessions.put_item(*HERE, message("item_1", "changed"), None, epoch=epoch)
    with pytest.raises(SessionDisplaced):
        await stores.sessions.delete_item(*HERE, "item_1", epoch=epoch)
    with pytest.raises(SessionDisplaced):
        await stores.sessions.put_config(*HERE, SessionConfig(instructions="late"), epoch=epoch)


async def test_what_a_displaced_gateway_writes_is_refused(open_more: OpenStores) -> None:
    first, second = await open_more(), await open_more()
    await first.sessions.create(record())
    old = await claim(first, "call_a")
    await first.sessions.put_item(*HERE, message("item_1"), None, epoch=old)

    new = await claim(second, "call_b", over="call_a")
    assert new > old
    await refused(first, old)
    await second.sessions.put_item(*HERE, message("item_2"), "item_1", epoch=new)
    await first.sessions.put_item(*HERE, message("item_3"), "item_2")  # no call's
    for stores in (first, second):
        found = await stores.sessions.get(*HERE)
        assert ids(found) == ids(await stores.archive.get(*HERE)) == ["item_1", "item_2", "item_3"]
        assert found is not None
        assert isinstance(found.items[0], MessageItem)
        assert found.items[0] == message("item_1")


async def test_it_is_refused_without_a_copy_in_redis_too(open_more: OpenStores, valkey: ValkeyServer) -> None:
    first, second = await open_more(), await open_more()
    await first.sessions.create(record("sess_1", "default", message("item_1")))
    old = await claim(first, "call_a")
    new = await claim(second, "call_b", over="call_a")
    await eventually(partial(sql_knows, second, new))
    valkey.kill()
    valkey.start()  # empty

    async def ready() -> bool:
        return await first.link.ready() and await second.link.ready()

    await eventually(ready)
    await refused(first, old)
    assert ids(await first.sessions.get(*HERE)) == ["item_1"]  # which makes a copy anew
    await refused(first, old)
    await second.sessions.put_item(*HERE, message("item_2"), "item_1", epoch=new)
    assert ids(await first.archive.get(*HERE)) == ["item_1", "item_2"]


async def test_what_was_written_in_time_reaches_sql_however_late(
    open_more: OpenStores, database: Database
) -> None:
    first, second = await open_more(), await open_more()
    await first.sessions.create(record())
    old = await claim(first, "call_a")
    database.stop()
    await first.sessions.put_item(*HERE, message("item_1"), None, epoch=old)
    new = await claim(second, "call_b", over="call_a")
    await second.sessions.put_item(*HERE, message("item_2"), "item_1", epoch=new)
    database.start()

    async def both() -> bool:
        found = await second.archive.get(*HERE)
        return found is not None and {item.id for item in found.items} == {"item_1", "item_2"}

    await eventually(both, within_s=20)
    await refused(first, old)


OLD, NEW = 1_763_800_000_000_000, 1_763_800_001_000_000  # epochs


def writes(epoch: int, **changes: Any) -> list[Write]:
    """What a call of this epoch has written, as SQL gets it from where it waited."""
    made: dict[str, Callable[..., Write]] = {
        "config": lambda text: PutConfig(**of(epoch), config=SessionConfig(instructions=text)),
        "put": lambda text: PutItem(**of(epoch), item=message("item_1", text), after=None),
        "removed": lambda inherited: DeleteItem(**of(epoch), item_id="item_1", inherited=inherited),
    }
    return [made[name](value) for name, value in changes.items()]


def of(epoch: int) -> dict[str, Any]:
    return {"tenant": HERE[0], "session_id": HERE[1], "epoch": epoch, "taken": True}


@pytest.mark.parametrize(
    ("earlier", "later", "left"),
    [
        (writes(OLD, put="old"), writes(NEW, put="new"), ["new"]),
        (writes(OLD, put="old"), writes(NEW, removed=True), []),
        (writes(OLD, put="old"), writes(NEW, removed=True, put="new"), ["new"]),
        (writes(OLD, put="old"), writes(NEW, put="new", removed=True), []),
        (writes(OLD, put="old", removed=False), writes(NEW, put="new"), ["new"]),
        (writes(OLD, put="old", config="old"), writes(NEW, config="new"), ["old"]),
    ],
)
async def test_what_waited_longer_than_what_came_after_it_changes_nothing_of_that(
    open_more: OpenStores, earlier: list[Write], later: list[Write], left: list[str]
) -> None:
    for number, order in enumerate((earlier + later, later + earlier, later + earlier + later)):
        archive = (await open_more()).archive
        session_id = f"sess_{number}"
        await archive.apply(CreateSession(tenant=HERE[0], session_id=session_id, record=record(session_id)))
        for write in order:
            await archive.apply(msgspec.structs.replace(write, session_id=session_id))
        found = await archive.get(HERE[0], session_id)
        assert found is not None
        texts = [part.text for item in found.items for part in item.content]  # type: ignore[union-attr]  # messages
        assert (texts, found.epoch) == (left, NEW)
        if any(isinstance(write, PutConfig) for write in later):
            assert found.config.instructions == "new"


async def test_two_gateways_that_were_without_sql_leave_there_what_the_later_call_made_of_it(
    open_more: OpenStores, database: Database
) -> None:
    first, second = await open_more(), await open_more()
    await first.sessions.create(record())
    old = await claim(first, "call_a")
    database.stop()
    for name in ("item_1", "item_2"):
        await first.sessions.put_item(*HERE, message(name, "old"), None, epoch=old)
    await first.sessions.put_config(*HERE, SessionConfig(instructions="old"), epoch=old)
    new = await claim(second, "call_b", over="call_a")
    await second.sessions.put_item(*HERE, message("item_1", "new"), None, epoch=new)
    await second.sessions.delete_item(*HERE, "item_2", epoch=new, inherited=True)
    await second.sessions.put_config(*HERE, SessionConfig(instructions="new"), epoch=new)
    database.start()
    for stores in (second, first):
        await eventually(partial(nothing_waits, stores), within_s=20)
    copy, kept = await second.sessions.get(*HERE), await second.archive.get(*HERE)
    assert copy is not None
    assert kept is not None
    assert kept.items == copy.items == [message("item_1", "new")]
    assert kept.config == copy.config == SessionConfig(instructions="new")


async def sql_knows(stores: Stores, epoch: int) -> bool:
    found = await stores.archive.get(*HERE)
    return found is not None and found.epoch == epoch


async def nothing_waits(stores: Stores) -> bool:
    """Whether SQL has all that this gateway wrote."""
    try:
        await stores.sessions.list("default", limit=1)
    except StoreUnavailable:
        return False
    return True


async def test_a_client_comes_back_to_its_gateway_while_sql_is_away(
    open_more: OpenStores, database: Database
) -> None:
    stores = await open_more()
    await stores.sessions.create(record())
    database.stop()
    for number in range(3):
        epoch = await claim(stores, f"call_{number}", over=f"call_{number - 1}")
        await stores.sessions.put_item(*HERE, message(f"item_{number}"), f"item_{number - 1}", epoch=epoch)
    assert ids(await stores.sessions.get(*HERE)) == ["item_0", "item_1", "item_2"]
    database.start()

    async def written() -> bool:
        return ids(await stores.archive.get(*HERE)) == ["item_0", "item_1", "item_2"]

    await eventually(written, within_s=20)


async def test_a_clock_that_was_put_back_locks_nobody_out(open_more: OpenStores) -> None:
    first, second = await open_more(), await open_more()
    await first.sessions.create(record())
    tomorrow = 4 * 10**15
    assert await first.sessions.fence(*HERE, tomorrow) == tomorrow
    epoch = await second.calls.claim(*HERE, call_id="call_b")
    assert epoch is not None
    assert await second.sessions.fence(*HERE, epoch) == tomorrow
    again = await second.calls.claim(*HERE, call_id="call_b", above=tomorrow)
    assert again == tomorrow + 1
    assert await second.sessions.fence(*HERE, again) == again


async def test_a_client_that_comes_back_does_not_wait_for_sql(valkey: ValkeyServer, tmp_path: Path) -> None:
    database = SqliteFile(tmp_path)
    slow = GatewaySettings(redis_url=valkey.url, database_url=database.url, sql_timeout_s=40.0)
    stores = await open_stores(slow)
    await stores.sessions.create(record())
    database.stop()  # for 30 s whoever writes to it waits
    try:
        async with asyncio.timeout(10):
            epoch = await claim(stores, "call_a")
            assert await stores.sessions.get(*HERE) is not None
    finally:
        database.start()
    await eventually(partial(sql_knows, stores, epoch))
    await stores.close()


async def test_a_session_that_does_not_exist_has_seen_no_epoch(open_more: OpenStores) -> None:
    stores = await open_more()
    assert await stores.sessions.fence("default", "sess_none", 5) == 5
    assert await stores.sessions.get("default", "sess_none") is None


async def test_of_two_gateways_that_take_over_again_and_again_every_write_is_by_the_latest(
    open_more: OpenStores,
) -> None:
    both = [await open_more(), await open_more()]
    await both[0].sessions.create(record())
    epochs = [await claim(both[0], "call_0"), 0]
    for round_ in range(1, 30):
        late, now = (round_ - 1) % 2, round_ % 2
        epochs[now] = await claim(both[now], f"call_{round_}", over=f"call_{round_ - 1}")
        put = [
            both[who].sessions.put_item(*HERE, message(f"item_{round_}_{name}"), None, epoch=epochs[who])
            for who, name in ((late, "late"), (now, "now"))
        ]
        late_result, now_result = await asyncio.gather(*put, return_exceptions=True)
        assert isinstance(late_result, SessionDisplaced)
        assert now_result is None
    assert not [name for name in ids(await both[0].archive.get(*HERE)) if name.endswith("late")]
