"""What the calls of a gateway have claimed stays theirs, whatever happens to Redis; nothing stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from dialtone.bus import Bus
from dialtone.gateway.runtime.claim_keeper import ClaimKeeper
from dialtone.gateway.runtime.ownership import Ownership
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import CallRegistry, Claim, Stores, StoreUnavailable
from tests.fixtures.valkey import ValkeyServer
from tests.fixtures.waiting import eventually
from tests.stores.conftest import OpenStores
from tests.stores.databases import Database, SqliteFile

HERE = ("default", "sess_1")
BEAT_S = 1.8


class Keeping:
    """A gateway's calls, and the task that keeps what they have claimed."""

    def __init__(self, bus: Bus, stores: Stores, *, claim_s: float) -> None:
        self.registry = CallRegistry(stores.link, beat_s=BEAT_S)
        self.registry.claim_s = claim_s
        settings = GatewaySettings(session_takeover="refuse")
        self.owners = Ownership(settings, bus, stores.sessions, self.registry, leave=lambda *_: None)
        self.calls: dict[str, Claim] = {}
        self.displaced: list[str] = []
        keeper = ClaimKeeper(
            self.registry,
            self.owners,
            claims=lambda: list(self.calls.values()),
            holds=self.calls.__contains__,
            displaced=self.displaced.append,
        )
        self.task = asyncio.create_task(keeper.run())

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})

    async def call(self, call_id: str, session_id: str = "sess_1") -> None:
        epoch = await self.registry.claim("default", session_id, call_id=call_id)
        assert epoch is not None
        self.calls[call_id] = Claim("default", session_id, call_id, epoch)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return SqliteFile(tmp_path)


@pytest.fixture
async def keeping(bus: Bus, stores: Stores) -> AsyncIterator[Keeping]:
    one = Keeping(bus, stores, claim_s=3600.0)
    yield one
    await one.stop()


@pytest.fixture
async def other(open_more: OpenStores) -> CallRegistry:
    """The registry of another gateway."""
    return CallRegistry((await open_more()).link, beat_s=60.0)


async def held(registry: CallRegistry, session_id: str = "sess_1") -> bool:
    return await registry.holder("default", session_id) is not None


async def test_claims_are_kept_for_as_long_as_their_gateway_beats(
    keeping: Keeping, other: CallRegistry
) -> None:
    await keeping.call("call_a")
    until = asyncio.get_running_loop().time() + 1.5 * BEAT_S
    while asyncio.get_running_loop().time() < until:
        assert await other.claim(*HERE, call_id="another") is None
        await asyncio.sleep(0.05)
    await keeping.stop()

    async def free() -> bool:
        return await other.claim(*HERE, call_id="another") is not None

    await eventually(free, within_s=5)


async def test_claims_are_renewed_before_they_run_out(bus: Bus, stores: Stores) -> None:
    keeping = Keeping(bus, stores, claim_s=2.4)
    await keeping.call("call_a")
    until = asyncio.get_running_loop().time() + 3.5
    while asyncio.get_running_loop().time() < until:
        assert await held(keeping.registry)
        await asyncio.sleep(0.05)
    await keeping.stop()


async def test_a_redis_that_comes_back_empty_is_told_of_all_calls(
    keeping: Keeping, valkey: ValkeyServer
) -> None:
    for number in range(450):
        await keeping.call(f"call_{number}", f"sess_{number}")
    await asyncio.sleep(BEAT_S)
    valkey.kill()
    valkey.start()

    async def known_again() -> bool:
        with suppress(StoreUnavailable):
            return await held(keeping.registry, "sess_449")
        return False

    await eventually(known_again)
    for number in range(450):
        assert await held(keeping.registry, f"sess_{number}")
    assert keeping.displaced == []


async def test_a_call_whose_session_was_taken_while_its_gateway_stood_still_is_told(
    keeping: Keeping, other: CallRegistry
) -> None:
    await keeping.call("call_a")
    await keeping.call("call_b", "sess_2")
    assert await other.claim(*HERE, call_id="another", over="call_a")
    await keeping.registry.leave()  # as its beat is gone when it stands still

    async def told() -> bool:
        return bool(keeping.displaced)

    await eventually(told, within_s=5)
    await keeping.registry.beat()
    assert set(keeping.displaced) == {"call_a"}
    assert await other.claim("default", "sess_2", call_id="another") is None


async def test_a_call_that_ends_while_redis_is_away_gives_its_session_back_when_it_is_there_again(
    keeping: Keeping, other: CallRegistry, valkey: ValkeyServer
) -> None:
    await keeping.call("call_a")
    await keeping.registry.beat()
    valkey.freeze()
    try:
        del keeping.calls["call_a"]
        await keeping.owners.release(HERE, "call_a")
    finally:
        valkey.thaw()

    async def free() -> bool:
        return await other._link.ready() and not await held(other)

    await eventually(free, within_s=5)
    assert await other.claim(*HERE, call_id="another") is not None


async def test_sessions_that_wait_for_sql_to_be_given_back_hold_up_no_beat(
    keeping: Keeping,
    other: CallRegistry,
    stores: Stores,
    valkey: ValkeyServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await keeping.call("call_a")
    await keeping.call("call_b", "sess_2")
    valkey.freeze()
    try:
        del keeping.calls["call_b"]
        await keeping.owners.release(("default", "sess_2"), "call_b")
    finally:
        valkey.thaw()
    waiting = asyncio.Event()

    async def settle(*_: str) -> None:
        waiting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(stores.sessions, "settle", settle)
    async with asyncio.timeout(5):
        await waiting.wait()
    until = asyncio.get_running_loop().time() + 1.5 * BEAT_S
    while asyncio.get_running_loop().time() < until:
        assert await other.claim(*HERE, call_id="another") is None
        await asyncio.sleep(0.05)


async def test_a_change_that_redis_took_without_an_answer_holds_nobody_up_for_long(
    keeping: Keeping, other: CallRegistry, valkey: ValkeyServer
) -> None:
    await keeping.call("call_b", "sess_2")  # Redis knows the script from here on
    valkey.freeze()
    try:
        with pytest.raises(StoreUnavailable):
            async with keeping.owners.changing(HERE):
                pytest.fail("nobody can know that the session is free")
    finally:
        valkey.thaw()

    async def free() -> bool:
        return await other._link.ready() and await other.claim(*HERE, call_id="another") is not None

    await eventually(free, within_s=5)
