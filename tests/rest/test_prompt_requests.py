"""Connections that keep the gateway waiting for their request are closed; all others are not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from websockets.asyncio.client import connect

from tests.fixtures.gateway import Gateway, running_gateway

WITHIN_S = 1.0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("prompt")
    with running_gateway(folder, REQUEST_TIMEOUT_S=str(WITHIN_S)) as gateway:
        yield gateway


async def opened(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nUpgra",
        b"POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\n",
    ],
    ids=["nothing", "half a handshake", "half a body", "half of the second"],
)
async def test_a_request_that_does_not_come_whole_ends_its_connection(gateway: Gateway, first: bytes) -> None:
    reader, writer = await opened(gateway)
    start = time.monotonic()
    writer.write(first)
    with suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 10)
    assert time.monotonic() - start >= WITHIN_S * 0.9
    writer.close()


async def test_a_request_that_comes_a_byte_at_a_time_ends_its_connection(gateway: Gateway) -> None:
    reader, writer = await opened(gateway)

    async def dribble() -> None:
        for byte in b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 1000:
            writer.write(bytes([byte]))
            await asyncio.sleep(WITHIN_S / 20)

    dribbling = asyncio.create_task(dribble())
    with suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 10)
    dribbling.cancel()
    writer.close()


async def test_requests_that_came_whole_are_served_for_as_long_as_they_last(gateway: Gateway) -> None:
    async with connect(f"{gateway.socket_url}/v1/realtime?model=default", compression=None) as socket:
        await socket.recv()
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * WITHIN_S):
                await socket.recv()
        await asyncio.wait_for(await socket.ping(), 5)
        assert socket.close_code is None
