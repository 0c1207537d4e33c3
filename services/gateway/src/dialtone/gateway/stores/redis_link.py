"""A connection to Redis on which nothing waits longer than a bound, and an outage is met only once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from dialtone.telemetry import get_logger

from .errors import StoreUnavailable
from .metrics import FAILURES, STORE_UP

_PROBE_S = 0.25
_SETTLE_S = 1.0
_CONNECTIONS = 16
# What says "not now". Other answers are faults of a command and are raised as they are.
_OUTAGES = (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OutOfMemoryError, OSError)
T = TypeVar("T")
log = get_logger(__name__)


class RedisLink:
    """Runs Redis commands, each within `timeout_s`.

    After a failure the link is down: commands are refused at once, without waiting for a server that
    hangs, until a probe in the background has an answer again.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=timeout_s,
            # `run` bounds each command. The client's own bound is `asyncio.wait_for`, in which Python 3.11
            # loses a cancellation that comes as the bytes have gone out: the task would never end.
            socket_timeout=None,
            socket_connect_timeout=timeout_s,
            # The client's own retries turn a bound of 0.5 s into 10 s.
            retry=Retry(NoBackoff(), 0),
        )
        self.client: Redis = Redis.from_pool(pool)
        self._timeout_s = timeout_s
        self._up = asyncio.Event()
        self._up.set()
        STORE_UP.labels("redis").set(1)
        self._probe: asyncio.Task[None] | None = None
        self._closed = False
        self._came_back = -math.inf  # monotonic

    @property
    def up(self) -> bool:
        return self._up.is_set()

    async def wait_up(self) -> None:
        await self._up.wait()

    async def settled(self) -> None:
        """Wait until others have noticed, too, that the server is there again, and done what they owed it."""
        await asyncio.sleep(max(0.0, self._came_back + _SETTLE_S - time.monotonic()))

    async def run(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        """The command's result. Raises `StoreUnavailable`: whether it was carried out is unknown then."""
        if not self.up:
            FAILURES.labels("redis").inc()
            raise StoreUnavailable("redis", "does not answer")
        try:
            async with asyncio.timeout(self._timeout_s):
                return await command(self.client)
        except _OUTAGES as error:
            self._went_down(error)
            raise StoreUnavailable("redis", type(error).__name__) from error

    async def ready(self) -> bool:
        try:
            return bool(await self.run(lambda redis: redis.ping()))
        except StoreUnavailable:
            return False

    async def close(self) -> None:
        self._closed = True
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.gather(self._probe, return_exceptions=True)
        await self.client.aclose(close_connection_pool=True)

    def _went_down(self, error: Exception) -> None:
        FAILURES.labels("redis").inc()
        if self._closed or not self.up:
            return
        log.warning("redis does not answer", error=type(error).__name__)
        STORE_UP.labels("redis").set(0)
        self._up.clear()
        self._probe = asyncio.create_task(self._probe_until_up(), name="redis-probe")

    async def _probe_until_up(self) -> None:
        while True:
            await asyncio.sleep(_PROBE_S)
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self.client.ping()
            except _OUTAGES:
                continue
            break
        log.info("redis answers again")
        STORE_UP.labels("redis").set(1)
        self._came_back = time.monotonic()
        self._up.set()
