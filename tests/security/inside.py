"""What a gateway says and asks behind its clients' backs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from redis.asyncio import Redis

from dialtone.gateway.ids import new_id
from tests.fixtures.gateway import Gateway
from tests.fixtures.waiting import eventually

_MARK = "mark"
# What the servers and their clients say by themselves, and the gateway's own beat.
_THEIR_OWN = re.compile(
    r"\$|_INBOX\.|(HELLO|CLIENT|AUTH|SELECT|PING)\b|(GET|SET|EVALSHA \w+ 1) dialtone:gateway:", re.ASCII
)


class Inside:
    """Subjects of the bus and commands to Redis, in the order in which they came."""

    def __init__(self, spy: Client, redis: Redis) -> None:
        self._spy = spy
        self._redis = redis
        self._seen: list[str] = []

    async def hear(self, message: Msg) -> None:
        self._note(message.subject)

    async def look(self, monitor: Any) -> None:
        async for command in monitor.listen():
            self._note(command["command"])

    def _note(self, one: str) -> None:
        if not _THEIR_OWN.match(one):
            self._seen.append(one)

    async def seen(self) -> list[str]:
        """All that there was up to now."""
        mark = new_id(_MARK)

        async def both() -> bool:
            return sum(mark in one for one in self._seen) == 2

        await self._spy.publish(mark)
        await self._redis.get(mark)
        await eventually(both)
        return [one for one in self._seen if f"{_MARK}_" not in one]


@asynccontextmanager
async def watching(gateway: Gateway) -> AsyncIterator[Inside]:
    spy, redis = await nats.connect(gateway.nats.url), Redis.from_url(gateway.valkey.url)
    inside = Inside(spy, redis)
    try:
        await spy.subscribe(">", cb=inside.hear)
        await spy.flush()
        async with redis.monitor() as monitor:
            looking = asyncio.create_task(inside.look(monitor))
            yield inside
            looking.cancel()
            await asyncio.wait({looking})
    finally:
        await redis.aclose()
        await spy.close()
