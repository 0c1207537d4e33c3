"""Large messages: so many at once, and nobody else is held up by them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any

import uvicorn
from prometheus_client import REGISTRY
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from dialtone.gateway.runtime.large_messages import LARGE, BoundedSocket, LargeMessages
from dialtone.gateway.runtime.pinged_sockets import Pings
from tests.fixtures.nats import free_port
from tests.fixtures.waiting import eventually

PING_S = 0.4


class Service:
    """An application that takes a large message in only when `gate` is open."""

    def __init__(self) -> None:
        self.url = ""
        self.gate = asyncio.Event()
        self.got: list[int] = []

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (given := await receive())["type"] != "websocket.disconnect":
            size = len(given.get("bytes") or given["text"])
            self.got.append(size)
            if size > LARGE:
                await self.gate.wait()
            await send({"type": "websocket.send", "text": str(size)})

    async def until_got(self, *sizes: int) -> None:
        async def got() -> bool:
            return sorted(self.got) == sorted(sizes)

        await eventually(got)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are pytest's


@asynccontextmanager
async def serving(places: int = 1, *, within_s: float = 30.0) -> AsyncIterator[Service]:
    service, port = Service(), free_port()
    config = uvicorn.Config(
        service,
        port=port,
        ws=partial(BoundedSocket, places=LargeMessages(places, within_s=within_s), pings=Pings(PING_S)),  # type: ignore[arg-type]  # as type
        ws_max_size=4 * LARGE,
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


class RawClient:
    """A client that writes what the test says and nothing else: no pong in the middle of a message."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def close_code(self) -> int:
        """Read to the end; the code of the close frame there."""
        rest = b""
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):  # some of what was sent was not read any more
                while piece := await self._reader.read(65_536):
                    rest += piece
        at = rest.rindex(b"\x88")
        return int.from_bytes(rest[at + 2 : at + 4])

    async def answer(self) -> int:
        """The next short text frame; the server's pings are passed over."""
        async with asyncio.timeout(10):
            while True:
                kind, length = await self._reader.readexactly(2)
                payload = await self._reader.readexactly(length)
                if kind == 0x81:
                    return int(payload)


@asynccontextmanager
async def raw_client(service: Service) -> AsyncIterator[RawClient]:
    port = int(service.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    try:
        yield RawClient(reader, writer)
    finally:
        writer.transport.abort()


def message(size: int) -> bytes:
    return Frame(Opcode.BINARY, bytes(size)).serialize(mask=True)


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
        raw_client(service) as waits,
        client(service) as next_one,
    ):
        await has_place.send(b"x" * (2 * LARGE))
        await service.until_got(2 * LARGE)
        waits.writer.write(message(3 * LARGE)[: 2 * LARGE])
        sending = asyncio.create_task(next_one.send(b"x" * (2 * LARGE)))
        await until_waiting(2)
        waits.writer.transport.abort()
        await until_waiting(1)
        has_place.transport.abort()
        service.gate.set()
        assert await answer(next_one) == 2 * LARGE
        await sending


async def test_a_message_that_dribbles_loses_its_connection() -> None:
    async with serving(within_s=0.3) as service:
        async with raw_client(service) as socket:
            socket.writer.write(message(3 * LARGE)[: 2 * LARGE])

            async def dribble() -> None:
                while True:
                    socket.writer.write(b"x")
                    await asyncio.sleep(PING_S / 4)

            dribbling = asyncio.create_task(dribble())
            assert await socket.close_code() == 1008
            dribbling.cancel()
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


async def test_a_client_that_sends_slowly_cannot_answer_pings_and_is_not_taken_for_dead() -> None:
    async with serving() as service, raw_client(service) as socket:
        service.gate.set()
        slow = message(2 * LARGE)
        step = len(slow) // 15
        for at in range(0, len(slow), step):
            socket.writer.write(slow[at : at + step])
            await asyncio.sleep(PING_S / 4)
        assert await socket.answer() == 2 * LARGE


async def test_a_client_that_says_nothing_more_is_taken_for_dead() -> None:
    async with serving() as service, raw_client(service) as socket:
        socket.writer.write(message(3 * LARGE)[: 2 * LARGE])
        assert await socket.close_code() == 1011


async def test_a_message_over_the_limit_gives_its_place_back() -> None:
    async with serving() as service, client(service) as socket, client(service) as another:
        with suppress(ConnectionClosed):  # it may be refused before all of it is sent
            await socket.send(b"x" * (5 * LARGE))
        await asyncio.wait_for(socket.wait_closed(), 10)
        assert socket.close_code == 1009
        service.gate.set()
        await another.send(b"x" * (2 * LARGE))
        assert await answer(another) == 2 * LARGE
