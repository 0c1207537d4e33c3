"""A session has one call at a time, whoever asks, from wherever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dialtone.gateway.stores import CallHolder, CallRegistry, Claim, StoreUnavailable
from dialtone.gateway.stores.redis_link import RedisLink
from tests.fixtures.valkey import ValkeyServer
from tests.fixtures.waiting import eventually


@pytest.fixture
async def registries(valkey: ValkeyServer) -> AsyncIterator[list[CallRegistry]]:
    """The registry as two gateways see it."""
    links = [RedisLink(valkey.url, timeout_s=5.0) for _ in range(2)]
    yield [CallRegistry(link) for link in links]
    for link in links:
        await link.close()


async def claim(registry: CallRegistry, call_id: str, session_id: str = "sess_1", ttl_s: float = 30) -> bool:
    epoch = await registry.claim("default", session_id, call_id=call_id, gateway_id="gw", ttl_s=ttl_s)
    return epoch is not None


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
    assert await registries[0].holder("default", "sess_1") is None
    await registries[0].claim("default", "sess_1", call_id="call_a", gateway_id="gw_a", ttl_s=30)
    assert await registries[1].holder("default", "sess_1") == CallHolder("call_a", "gw_a")


async def test_only_the_holder_can_renew_or_release(registries: list[CallRegistry]) -> None:
    assert await claim(registries[0], "call_a")
    assert not await claim(registries[1], "call_b")
    assert not await registries[1].release("default", "sess_1", call_id="call_b")
    assert await claim(registries[0], "call_a")


async def test_every_claim_has_a_higher_epoch_than_those_before_it(
    registries: list[CallRegistry], valkey: ValkeyServer
) -> None:
    async def epoch(call_id: str, over: str = "") -> int:
        claimed = await registries[0].claim(
            "default", "sess_1", call_id=call_id, gateway_id="gw", ttl_s=30, over=over
        )
        assert claimed is not None
        return claimed

    first = await epoch("call_a")
    assert await epoch("call_a") == first  # the same one
    second = await epoch("call_b", over="call_a")
    await registries[0].release("default", "sess_1", call_id="call_b")
    third = await epoch("call_c")
    valkey.kill()
    valkey.start()
    await eventually(registries[0]._link.ready)
    assert first < second < third < await epoch("call_d")


async def test_a_claim_is_taken_only_from_the_call_that_was_meant(registries: list[CallRegistry]) -> None:
    assert await claim(registries[0], "call_a")
    taken = [
        await registries[1].claim(
            "default", "sess_1", call_id=f"call_{n}", gateway_id="gw", ttl_s=30, over="call_a"
        )
        for n in range(2)
    ]
    assert taken[0] is not None
    assert taken[1] is None
    assert await registries[0].holder("default", "sess_1") == CallHolder("call_0", "gw")


async def test_who_lost_a_claim_cannot_renew_it(registries: list[CallRegistry]) -> None:
    second = await registries[0].claim("default", "sess_2", call_id="call_a", gateway_id="gw", ttl_s=30)
    assert second is not None

    async def renew(call_id: str, epoch: int) -> bool:
        claims = [Claim("default", "sess_1", call_id, epoch), Claim("default", "sess_2", call_id, second)]
        held, beside = await registries[0].renew(claims, gateway_id="gw", ttl_s=30)
        assert beside
        return held

    old = await registries[0].claim("default", "sess_1", call_id="call_a", gateway_id="gw", ttl_s=30)
    assert old is not None
    assert await renew("call_a", old)
    new = await registries[1].claim(
        "default", "sess_1", call_id="call_b", gateway_id="gw", ttl_s=30, over="call_a"
    )
    assert new is not None
    assert not await renew("call_a", old)
    # Nor does it get a new epoch by renewing what nobody has any more.
    await registries[1].release("default", "sess_1", call_id="call_b")
    assert await renew("call_a", old)
    again = await registries[1].claim("default", "sess_1", call_id="call_a", gateway_id="gw", ttl_s=30)
    assert again == old < new


async def test_the_same_session_id_of_two_tenants_is_two_sessions(registries: list[CallRegistry]) -> None:
    assert await claim(registries[0], "call_a")
    assert await registries[0].claim("acme", "sess_1", call_id="call_b", gateway_id="gw", ttl_s=30)


async def test_a_claim_that_is_not_renewed_runs_out(registries: list[CallRegistry]) -> None:
    assert await claim(registries[0], "call_a", ttl_s=0.2)
    await eventually(lambda: claim(registries[1], "call_b"), within_s=5)


async def test_a_claim_that_redis_forgot_is_taken_anew_by_renewing(
    registries: list[CallRegistry], valkey: ValkeyServer
) -> None:
    assert await claim(registries[0], "call_a")
    valkey.kill()
    valkey.start()

    async def renewed() -> bool:
        try:
            return await claim(registries[0], "call_a")
        except StoreUnavailable:
            return False

    await eventually(renewed, within_s=5)
    assert not await claim(registries[1], "call_b")
