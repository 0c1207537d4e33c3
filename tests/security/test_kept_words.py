"""What was said is kept where it was said to be kept, for as long as was said, and nowhere else (S20)."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import httpx
import nats
import pytest
from pydantic import ValidationError
from redis.asyncio import Redis
from websockets.asyncio.client import connect

from dialtone.gateway.settings import GatewaySettings
from dialtone.local.state import StackState
from tests.fixtures.gateway import Gateway, running_gateway
from tests.fixtures.waiting import eventually

from .test_words import CANARY, until

DAYS = 30


async def said(url: str) -> str:
    """A session in which it was said, and answered aloud."""
    content = [{"type": "input_text", "text": CANARY}]
    item = {"type": "message", "role": "user", "content": content}
    async with connect(f"{url.replace('http', 'ws', 1)}/v1/realtime?model=default") as socket:
        session_id: str = json.loads(await socket.recv())["session"]["id"]
        await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await socket.send('{"type": "response.create"}')
        await until(socket, "response.done")
    return session_id


async def in_redis(url: str) -> list[tuple[bytes, int]]:
    """The keys that hold it, and how many seconds each still lives."""
    redis = Redis.from_url(url)
    held = []
    async for key in redis.scan_iter():
        kind = await redis.type(key)
        whole = await redis.hgetall(key) if kind == b"hash" else await redis.dump(key)
        if CANARY in str(whole):
            held.append((key, await redis.ttl(key)))
    await redis.aclose()
    return held


async def on_the_broker(url: str) -> int:
    """Messages that are kept there."""
    client = await nats.connect(url)
    streams = await client.jetstream().streams_info()
    await client.close()
    assert streams
    return sum(stream.state.messages for stream in streams)


async def test_when_a_call_is_over_its_session_is_the_one_place_that_has_its_words_until_it_is_deleted(
    stack: StackState,
) -> None:
    session_id = await said(stack.url)

    async def done() -> bool:
        return await on_the_broker(stack.nats_url) == 0

    await eventually(done)
    ((key, lives_s),) = await in_redis(stack.redis_url)
    assert key.endswith(f":session:{session_id}".encode())
    assert 0 < lives_s <= GatewaySettings().session_ttl_s
    async with httpx.AsyncClient(base_url=stack.url) as http:
        assert CANARY in (await http.get(f"/v1/sessions/{session_id}")).text
        assert (await http.delete(f"/v1/sessions/{session_id}")).status_code == 204
        assert (await http.get(f"/v1/sessions/{session_id}")).status_code == 404
        assert CANARY not in (await http.get("/v1/sessions?limit=100")).text
    assert await in_redis(stack.redis_url) == []


def begun(gateway: Gateway) -> str:
    session_id: str = httpx.post(f"{gateway.url}/v1/sessions", json={}).json()["id"]
    return session_id


async def test_sessions_that_nobody_used_for_as_long_as_was_set_are_gone(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        old, used = begun(gateway), begun(gateway)
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        when = time.time() - (DAYS + 1) * 86_400
        database.execute("UPDATE sessions SET updated_at = ? WHERE id = ?", (when, old))
    with running_gateway(tmp_path, SESSION_RETENTION_DAYS=str(DAYS)) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url) as http:

            async def gone() -> bool:
                return (await http.get(f"/v1/sessions/{old}")).status_code == 404

            await eventually(gone)
            assert (await http.get(f"/v1/sessions/{used}")).status_code == 200


def test_a_retention_that_a_call_might_outlast_is_refused() -> None:
    assert GatewaySettings().session_retention_days == 0
    with pytest.raises(ValidationError, match="a day at least"):
        GatewaySettings(session_retention_days=0.5)
