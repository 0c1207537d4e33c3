"""Ephemeral secrets: what opens what, for how long, and what is kept of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from dialtone.gateway.core.session import Audio, AudioInput, ServerVad, SessionConfig
from dialtone.gateway.stores import ClientSecret, ClientSecrets, StoreUnavailable, TooManySecrets
from dialtone.gateway.stores.redis_link import RedisLink
from tests.fixtures.valkey import ValkeyServer
from tests.fixtures.waiting import eventually

CONFIG = SessionConfig(
    type="transcription",
    instructions="讲中文",
    audio=Audio(input=AudioInput(turn_detection=ServerVad(silence_duration_ms=300))),
)


@asynccontextmanager
async def opened(server: ValkeyServer, *, most: int = 100) -> AsyncIterator[ClientSecrets]:
    link = RedisLink(server.url, timeout_s=0.5)
    yield ClientSecrets(link, most=most)
    await link.close()


@pytest.fixture
async def secrets(valkey: ValkeyServer) -> AsyncIterator[ClientSecrets]:
    async with opened(valkey) as secrets:
        yield secrets


async def test_a_secret_is_found_with_all_that_it_was_made_with(
    valkey: ValkeyServer, secrets: ClientSecrets
) -> None:
    before = int(time.time())
    made = await secrets.mint("acme", seconds=600, config=CONFIG, locked=("tools",))
    value, expires_at = made.value, made.expires_at
    assert value.startswith("ek_")
    assert len(value) >= 25
    assert before + 600 <= expires_at <= time.time() + 600
    async with opened(valkey) as another_gateway:
        for _ in range(3):  # it opens several calls
            assert await another_gateway.find(value) == ClientSecret(
                "acme", expires_at, CONFIG, locked=("tools",)
            )


async def test_a_secret_may_be_bound_to_a_session_and_to_no_configuration(secrets: ClientSecrets) -> None:
    made = await secrets.mint("acme", seconds=10, config=None, session_id="sess_1")
    assert await secrets.find(made.value) == ClientSecret("acme", made.expires_at, None, "sess_1")


@pytest.mark.parametrize("value", ["ek_", "ek_unknown", "", "ek_\ud800", "ek_" + "x" * 100_000])
async def test_what_is_no_secret_opens_nothing(secrets: ClientSecrets, value: str) -> None:
    await secrets.mint("acme", seconds=10, config=None)
    assert await secrets.find(value) is None


async def test_a_secret_ends_when_it_was_said_to(secrets: ClientSecrets) -> None:
    made = await secrets.mint("acme", seconds=2, config=None)
    value, expires_at = made.value, made.expires_at

    async def gone() -> bool:
        return await secrets.find(value) is None

    await eventually(gone)
    assert -0.5 < time.time() - expires_at < 3


async def test_a_secret_that_was_called_back_opens_nothing_and_can_be_called_back_again(
    valkey: ValkeyServer, secrets: ClientSecrets
) -> None:
    made, kept = [await secrets.mint("acme", seconds=60, config=None) for _ in range(2)]
    async with opened(valkey) as another_gateway:
        for _ in range(2):
            assert await another_gateway.revoke("acme", made.id)
            assert await secrets.find(made.value) is None
    assert await secrets.find(kept.value) is not None


async def test_who_may_not_call_a_secret_back_is_told_nothing(secrets: ClientSecrets) -> None:
    made = await secrets.mint("acme", seconds=60, config=None)
    unknown = f"secret_{'0' * 64}"
    for tenant, named in (
        ("other", made.id),
        ("acme", unknown),
        ("acme", made.value),
        ("acme", f"{made.id}\n"),
    ):
        assert not await secrets.revoke(tenant, named)
    assert await secrets.find(made.value) is not None


async def test_an_expired_secret_cannot_be_called_back(secrets: ClientSecrets) -> None:
    made = await secrets.mint("acme", seconds=2, config=None)

    async def gone() -> bool:
        return not await secrets.revoke("acme", made.id)

    await eventually(gone)


async def test_calling_back_makes_no_room_before_the_secret_would_have_expired(valkey: ValkeyServer) -> None:
    async with opened(valkey, most=1) as secrets:
        made = await secrets.mint("acme", seconds=60, config=None)
        assert await secrets.revoke("acme", made.id)
        with pytest.raises(TooManySecrets):
            await secrets.mint("acme", seconds=60, config=None)


async def test_redis_never_has_the_secret_itself(valkey: ValkeyServer, secrets: ClientSecrets) -> None:
    value = (await secrets.mint("acme", seconds=600, config=CONFIG)).value
    redis = Redis.from_url(valkey.url)
    kept = b""
    async for key in redis.scan_iter("*"):
        kept += bytes(key) + bytes(await redis.dump(key) or b"")
        assert 0 < await redis.ttl(key) <= 7200
    await redis.aclose()
    assert b"dialtone:secret:" in kept
    assert value.encode() not in kept
    assert value.removeprefix("ek_").encode() not in kept


async def test_a_tenant_has_only_so_many_at_once_whatever_others_have(valkey: ValkeyServer) -> None:
    async with opened(valkey, most=3) as secrets:
        soon = (await secrets.mint("acme", seconds=2, config=None)).value
        made = await asyncio.gather(
            *(secrets.mint("acme", seconds=60, config=None) for _ in range(6)), return_exceptions=True
        )
        assert sum(isinstance(one, TooManySecrets) for one in made) == 4
        await secrets.mint("other", seconds=60, config=None)

        async def gone() -> bool:
            return await secrets.find(soon) is None

        await eventually(gone)
        await secrets.mint("acme", seconds=60, config=None)


async def test_a_secret_that_cannot_be_read_is_unknown(valkey: ValkeyServer, secrets: ClientSecrets) -> None:
    value = (await secrets.mint("acme", seconds=60, config=None)).value
    redis = Redis.from_url(valkey.url)
    (key,) = [key async for key in redis.scan_iter("dialtone:secret:*")]
    await redis.set(key, b'{"tenant": 5}')
    await redis.aclose()
    assert await secrets.find(value) is None


async def test_without_redis_nobody_can_know(valkey: ValkeyServer, secrets: ClientSecrets) -> None:
    value = (await secrets.mint("acme", seconds=60, config=None)).value
    valkey.kill()
    with pytest.raises(StoreUnavailable):
        await secrets.find(value)
    with pytest.raises(StoreUnavailable):
        await secrets.mint("acme", seconds=60, config=None)
    with pytest.raises(StoreUnavailable):
        await secrets.revoke("acme", f"secret_{'0' * 64}")
