"""How each kind of process says that it is ready."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx

Probe = Callable[[], Awaitable[bool]]
_TIMEOUT_S = 2.0


def http_ok(url: str) -> Probe:
    """Ready when a GET of `url` answers 200."""

    async def probe() -> bool:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
            with suppress(httpx.HTTPError):
                return (await client.get(url)).status_code == httpx.codes.OK
        return False

    return probe


def redis_pong(host: str, port: int) -> Probe:
    """Ready when a PING is answered with PONG (while data is loaded it is not)."""

    async def probe() -> bool:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    writer.write(b"PING\r\n")
                    return await reader.readline() == b"+PONG\r\n"
                finally:
                    writer.close()
        return False

    return probe
