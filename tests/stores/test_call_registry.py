"""A session has one call at a time, whoever asks, from wherever, as long as the call's gateway lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from redis.asyncio import Redis

from dialtone.gateway.stores import CallHolder, CallRegistry, Claim
from dialtone.gateway.stores.redis_link import RedisLink
from tests.fixtures.valkey import ValkeyServer
from tests.fixtures.waiting import eventually

HERE = ("default", "sess_1")
BEAT_S, SHORT_S = 60.0, 0.5
TOMORROW = 4 * 10**15  # an epoch


@pytest.fixture
async def links(valkey: ValkeyServer) -> AsyncIterator[list[RedisLink]]:
    """The connections of three gateways."""
    links = [RedisLink(valkey.url, timeout_s=5.0) for _ in range(3)]
    yield links
    for link in links:
        await link.close()


@pytest.fixture
def registries(links: list[RedisLink]) -> list[CallRegistry]:
    """The registry as two gateways see it."""
    return [CallRegistry(link, beat_s=BEAT_S) for link in links[:2]]


@pytest.fixture
def mortal(links: list[RedisLink]) -> CallRegistry:
    """The registry of a gateway that is dead when it has not beaten for half a second."""
    registry = CallRegistry(links[2], beat_s=SHORT_S)
    registry.claim_s = 3600.0  # nothing ends by itself while it is waited for
    return registry


async def claim(registry: CallRegistry, call_id: str, session_id: str = "sess_1") -> bool:
    return await registry.claim("default", session_id, call_id=call_id) is not None


async def test_of_two_that_claim_a_session_at_once_exactly_one_gets_it(
    registries: list[CallRegistry],
) -> None:
    for round_ in range(1000):
        session_id = f"sess_{round_ % 10}"
        won = await asyncio.gather(
            claim(registries[0], "call_a", session_id), claim(registries[1], "call_b", session_id)
        )
        assert sorted(won) == [False, True]
        released = await asyncio.gather(
            registries[0].release("default", session_id, call_id="call_a"),
            registries[1].release("default", session_id, call_id="call_b"),
        )
        assert released == won


async def test_the_holder_is_known(registries: list[CallRegistry]) -> None:
    assert await registries[0].holder(*HERE) is None
    await registries[0].claim(*HERE, call_id="call_a")
    assert await registries[1].holder(*HERE) == CallHolder("call_a", registries[0].gateway_id)


async def test_only_the_holder_can_renew_or_release(registries: list[CallRegistry]) -> None:
    assert await claim(registries[0], "call_a")
    assert not await claim(registries[1], "call_b")
    assert not await registries[1].release(*HERE, call_id="call_b")
    assert await claim(registries[0], "call_a")


async def test_every_claim_has_a_higher_epoch_than_those_before_it(
    registries: list[CallRegistry], valkey: ValkeyServer
) -> None:
    async def epoch(call_id: str, over: str = "") -> int:
        claimed = await registries[0].claim(*HERE, call_id=call_id, over=over)
        assert claimed is not None
        return claimed

    first = await epoch("call_a")
    assert await epoch("call_a") == first  # the same one
    second = await epoch("call_b", over="call_a")
    await registries[0].release(*HERE, call_id="call_b")
    third = await epoch("call_c")
    valkey.kill()
    valkey.start()
    await eventually(registries[0]._link.ready)
    assert first < second < third < await epoch("call_d")
    ahead = await registries[0].claim(*HERE, call_id="call_d", above=TOMORROW)  # of a clock that was put back
    assert ahead == TOMORROW + 1 < await epoch("call_e", over="call_d")


async def test_a_claim_is_taken_only_from_the_call_that_was_meant(registries: list[CallRegistry]) -> None:
    assert await claim(registries[0], "call_a")
    taken = [await registries[1].claim(*HERE, call_id=f"call_{n}", over="call_a") for n in range(2)]
    assert taken[0] is not None
    assert taken[1] is None
    assert await registries[0].holder(*HERE) == CallHolder("call_0", registries[1].gateway_id)


async def test_who_lost_a_claim_cannot_renew_it(registries: list[CallRegistry]) -> None:
    second = await registries[0].claim("default", "sess_2", call_id="call_a")
    assert second is not None

    async def renew(call_id: str, epoch: int) -> bool:
        claims = [Claim(*HERE, call_id, epoch), Claim("default", "sess_2", call_id, second)]
        held, beside = await registries[0].renew(claims)
        assert beside
        return held

    old = await registries[0].claim(*HERE, call_id="call_a")
    assert old is not None
    assert await renew("call_a", old)
    new = await registries[1].claim(*HERE, call_id="call_b", over="call_a")
    assert new is not None
    assert not await renew("call_a", old)
    # Nor does it get a new epoch by renewing what nobody has any more.
    await registries[1].release(*HERE, call_id="call_b")
    assert await renew("call_a", old)
    again = await registries[1].claim(*HERE, call_id="call_a")
    assert again == old < new


async def test_the_same_session_id_of_two_tenants_is_two_sessions(registries: list[CallRegistry]) -> None:
    assert await claim(registries[0], "call_a")
    assert await registries[0].claim("acme", "sess_1", call_id="call_b")


# --- the gateway of a call


async def test_a_beat_keeps_all_that_a_gateway_has_claimed_and_is_all_that_it_takes(
    registries: list[CallRegistry], mortal: CallRegistry
) -> None:
    for number in range(3):
        assert await claim(mortal, f"call_{number}", f"sess_{number}")
    until = asyncio.get_running_loop().time() + 2 * SHORT_S
    while asyncio.get_running_loop().time() < until:
        await mortal.beat()
        for number in range(3):
            assert not await claim(registries[0], "another", f"sess_{number}")
        await asyncio.sleep(SHORT_S / 10)
    for number in range(3):  # in time: its claims would last for much longer
        await eventually(partial(claim, registries[0], "another", f"sess_{number}"), within_s=5)


async def test_of_many_that_want_the_session_of_a_dead_gateway_one_has_it(
    registries: list[CallRegistry], mortal: CallRegistry
) -> None:
    first = await mortal.claim(*HERE, call_id="call_a")
    await mortal.leave()
    wanting = [registries[n % 2].claim(*HERE, call_id=f"call_{n}") for n in range(20)]
    epochs = [epoch for epoch in await asyncio.gather(*wanting) if epoch is not None]
    assert first is not None
    assert len(epochs) == 1
    assert epochs[0] > first


async def test_a_gateway_that_was_taken_for_dead_learns_it_by_its_beat_and_what_it_has_lost(
    registries: list[CallRegistry], mortal: CallRegistry
) -> None:
    epochs = [await mortal.claim("default", f"sess_{n}", call_id=f"call_{n}") for n in range(2)]
    await mortal.beat()
    await asyncio.sleep(SHORT_S)  # it stands still
    await eventually(lambda: claim(registries[0], "another", "sess_0"), within_s=5)
    assert await mortal.beat() is False
    claims = [Claim("default", f"sess_{n}", f"call_{n}", epochs[n] or 0) for n in range(2)]
    assert await mortal.renew(claims) == [False, True]
    assert await mortal.beat() is True
    assert not await claim(registries[0], "another", "sess_1")


async def test_a_claim_right_after_redis_came_back_empty_is_kept_and_hides_nothing_from_the_beat(
    registries: list[CallRegistry], valkey: ValkeyServer
) -> None:
    await registries[0].beat()
    assert await claim(registries[0], "call_a", "sess_a")
    valkey.kill()
    valkey.start()
    for registry in registries:
        await eventually(registry._link.ready)
    assert await claim(registries[0], "call_b", "sess_b")
    assert not await claim(registries[1], "another", "sess_b")
    assert await registries[0].beat() is False  # for the sake of sess_a


@pytest.mark.parametrize("since", ["a beat", "a claim", "a claim, and claims have come since"])
async def test_a_redis_that_is_as_it_was_a_while_ago_is_noticed(
    registries: list[CallRegistry], valkey: ValkeyServer, since: str
) -> None:
    assert await claim(registries[0], "call_0")
    assert await registries[0].beat() is True
    async with Redis.from_url(valkey.url) as redis:
        await redis.save()
    if since == "a beat":
        assert await registries[0].beat() is True
    else:
        assert await claim(registries[0], "call_a", "sess_a")
    valkey.kill()
    valkey.start()  # with what it had saved
    await eventually(registries[0]._link.ready)
    if since.endswith("since"):
        for number in range(3):
            assert await claim(registries[0], f"later_{number}", f"sess_later_{number}")
    assert await registries[0].beat() is False
    assert await registries[0].beat() is True


async def test_after_an_outage_no_gateway_is_taken_for_dead_before_it_can_have_beaten(
    registries: list[CallRegistry], mortal: CallRegistry, valkey: ValkeyServer
) -> None:
    assert await claim(mortal, "call_a")
    for registry in (registries[0], mortal):
        registry._link._timeout_s = 0.2
    valkey.freeze()
    try:
        for registry in (registries[0], mortal):
            assert not await registry._link.ready()
        await asyncio.sleep(SHORT_S)  # the beat runs out meanwhile
    finally:
        valkey.thaw()

    async def beat_again() -> None:
        await mortal.wait_up()
        await mortal.beat()

    beating = asyncio.create_task(beat_again())
    await registries[0].wait_up()
    mortal.beat_s = BEAT_S
    assert not await claim(registries[0], "another")
    await beating
