"""Large messages: so many at once, and nobody else is held up by them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import uvicorn
from prometheus_client import REGISTRY
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from dialtone.gateway.runtime.large_messages import LARGE, BoundedSocket, LargeMessages
from tests.fixtures.nats import free_port
from tests.fixtures.waiting import eventually

PING_S = 0.2


class Service:
    """An application that takes a large message in only when `gate` is open."""

    def __init__(self) -> None:
        self.url = ""
        self.gate = asyncio.Event()
        self.got: list[int] = []

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            size = len(message.get("bytes") or message["text"])
            self.got.append(size)
            if size > LARGE:
                await self.gate.wait()
            await send({"type": "websocket.send", "text": str(size)})

    async def until_got(self, *sizes: int) -> None:
        async def got() -> bool:
            return sorted(self.got) == sorted(sizes)

        await eventually(got)


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Left to pytest."""


@asynccontextmanager
async def serving(places: int = 1, *, within_s: float = 30.0) -> AsyncIterator[Service]:
    service, port = Service(), free_port()
    config = uvicorn.Config(
        service,
        port=port,
        ws=partial(BoundedSocket, places=LargeMessages(places, within_s=within_s)),  # type: ignore[arg-type]  # as type
        ws_max_size=4 * LARGE,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        lifespan="off",
        log_config=None,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    service.url = f"ws://127.0.0.1:{port}"
    try:
        yield service
    finally:
        service.gate.set()
        server.should_exit = True
        await running


def client(service: Service) -> connect:
    return connect(service.url, compression=None, ping_interval=None)


def beginning(size: int, sent: int) -> bytes:
    """The first bytes of a masked frame of this size."""
    return Frame(Opcode.BINARY, os.urandom(size)).serialize(mask=True)[:sent]


async def answer(socket: ClientConnection) -> int:
    async with asyncio.timeout(10):
        return int(await socket.recv())


async def until_waiting(messages: int) -> None:
    async def so_many() -> bool:
        return REGISTRY.get_sample_value("dialtone_gateway_waiting_messages") == messages

    await eventually(so_many)


async def test_no_more_come_in_at_once_than_there_are_places_while_plain_ones_go_on() -> None:
    async with serving(places=2) as service, client(service) as a, client(service) as b, client(service) as c:
        sizes = [2 * LARGE + n for n in range(3)]
        sending = [
            asyncio.create_task(socket.send(b"x" * size))
            for socket, size in zip((a, b), sizes[:2], strict=True)
        ]
        await service.until_got(*sizes[:2])
        sending.append(asyncio.create_task(c.send(b"x" * sizes[2])))
        async with client(service) as plain:
            for _ in range(5):
                await plain.send("hello")
                assert await answer(plain) == 5
        assert sizes[2] not in service.got
        service.gate.set()
        assert [await answer(socket) for socket in (a, b, c)] == sizes
        await asyncio.gather(*sending)
        for socket in (a, b, c):  # and the places are free again
            await socket.send(b"x" * sizes[0])
            assert await answer(socket) == sizes[0]


async def test_a_client_that_leaves_leaves_its_place() -> None:
    async with (
        serving() as service,
        client(service) as has_place,
        client(service) as waits,
        client(service) as next_one,
    ):
        for socket in (has_place, waits):
            socket.transport.write(beginning(3 * LARGE, 2 * LARGE))
            await socket.ping()
        sending = asyncio.create_task(next_one.send(b"x" * (2 * LARGE)))
        await until_waiting(2)
        waits.transport.abort()
        await until_waiting(1)
        has_place.transport.abort()
        service.gate.set()
        assert await answer(next_one) == 2 * LARGE
        await sending


async def test_a_message_that_dribbles_loses_its_connection() -> None:
    async with serving(within_s=0.3) as service, client(service) as socket:
        socket.transport.write(beginning(3 * LARGE, 2 * LARGE))
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
        assert socket.close_code == 1008
        async with client(service) as another:
            await another.send(b"x" * (2 * LARGE))
            await service.until_got(2 * LARGE)
            await asyncio.sleep(0.5)  # it has come: what is done with it may take longer
            service.gate.set()
            assert await answer(another) == 2 * LARGE


async def test_a_client_that_is_not_read_for_a_while_is_not_taken_for_dead() -> None:
    async with serving() as service, client(service) as busy, client(service) as waits:
        await busy.send(b"x" * (2 * LARGE))
        await service.until_got(2 * LARGE)
        await busy.send("after it")
        await busy.send("and more")  # from here on the connection is not read: neither are its pongs
        sending = asyncio.create_task(waits.send(b"x" * (2 * LARGE)))
        await asyncio.sleep(4 * PING_S)
        service.gate.set()
        assert [await answer(busy) for _ in range(3)] == [2 * LARGE, 8, 8]
        assert await answer(waits) == 2 * LARGE
        await sending


async def test_a_message_over_the_limit_gives_its_place_back() -> None:
    async with serving() as service, client(service) as socket, client(service) as another:
        with suppress(ConnectionClosed):  # it may be refused before all of it is sent
            await socket.send(b"x" * (5 * LARGE))
        await asyncio.wait_for(socket.wait_closed(), 10)
        assert socket.close_code == 1009
        service.gate.set()
        await another.send(b"x" * (2 * LARGE))
        assert await answer(another) == 2 * LARGE
