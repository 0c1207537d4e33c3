"""Gateways with clocks an hour wrong, or set during calls: calls and secrets last as long as ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from dialtone.local.state import StackState
from tests.fixtures.clock import Clock
from tests.fixtures.gateway import KEY
from tests.fixtures.gateway_processes import GatewayProcess, joining

HOUR = 3600.0
pytestmark = pytest.mark.chaos
BY_KEY = {"Authorization": f"Bearer {KEY}"}


@asynccontextmanager
async def wrong_by(
    seconds: float, stack: StackState, folder: Path
) -> AsyncIterator[tuple[GatewayProcess, Clock]]:
    clock = Clock(folder.with_suffix(".clock"))
    clock.ahead_s = seconds
    async with joining(stack, folder, API_KEYS=f"acme:{KEY}", **clock.environment) as gateway:
        yield gateway, clock


async def secret_of(gateway: GatewayProcess, seconds: int) -> str:
    asked = {"expires_after": {"anchor": "created_at", "seconds": seconds}}
    async with httpx.AsyncClient(base_url=gateway.url, headers=BY_KEY) as http:
        answer = await http.post("/v1/realtime/client_secrets", json=asked)
    assert answer.status_code == 200
    return str(answer.json()["value"])


def calling(gateway: GatewayProcess, secret: str) -> connect:
    headers = {"Authorization": f"Bearer {secret}"}
    url = f"{gateway.socket_url}/v1/realtime"
    return connect(url, additional_headers=headers, compression=None, max_size=2**24)


async def event(socket: ClientConnection, kind: str) -> Any:
    """The next event of this type; others are passed over."""
    async with asyncio.timeout(20):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


async def answered(socket: ClientConnection) -> None:
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": said}))
    await socket.send('{"type": "response.create", "response": {"output_modalities": ["text"]}}')
    assert (await event(socket, "response.done"))["response"]["status"] == "completed"


async def lives_for(stack: StackState) -> list[float]:
    """Seconds that each secret in Redis has left."""
    async with Redis.from_url(stack.redis_url) as redis:
        keys = [key async for key in redis.scan_iter("dialtone:secret:*")]
        return [await redis.pttl(key) / 1000 for key in keys]


async def test_calls_and_secrets_do_not_mind_gateways_that_differ_by_two_hours(
    stack: StackState, tmp_path: Path
) -> None:
    async with (
        wrong_by(HOUR, stack, tmp_path / "ahead") as (ahead, clock),
        wrong_by(-HOUR, stack, tmp_path / "behind") as (behind, _),
    ):
        for maker, taker in ((ahead, behind), (behind, ahead)):
            secret = await secret_of(maker, 60)
            assert all(0 < seconds <= 60 for seconds in await lives_for(stack))
            async with calling(taker, secret) as socket:
                await answered(socket)
                clock.ahead_s = -HOUR  # of one of them, while the call goes on
                await answered(socket)
                clock.ahead_s = HOUR


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_a_secret_is_over_in_its_time_whatever_the_clock_says(
    stack: StackState, tmp_path: Path, seconds: float
) -> None:
    async with wrong_by(seconds, stack, tmp_path / "wrong") as (gateway, clock):
        secret = await secret_of(gateway, 10)
        clock.ahead_s = -seconds
        await asyncio.sleep(9)
        async with calling(gateway, secret):
            pass
        await asyncio.sleep(1.5)
        with pytest.raises(InvalidStatus) as refused:
            await calling(gateway, secret)
        assert refused.value.response.status_code == 401
