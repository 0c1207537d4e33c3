"""Pings: who answers stays, who does not is given up, and nothing else is taken for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn

from dialtone.gateway.runtime.pinged_sockets import PingedSocket, Pings
from tests.fixtures.nats import free_port
from tests.fixtures.waiting import eventually
from tests.fuzz.raw import CLOSE, PING, PONG, TEXT, frame, handshake

PING_S = 0.4
MASK = b"\x13\x57\x9b\xdf"


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are pytest's


async def echo(_scope: Any, receive: Any, send: Any) -> None:
    """The application: says again what it is told."""
    await receive()
    await send({"type": "websocket.accept"})
    while (said := await receive())["type"] != "websocket.disconnect":
        await send({"type": "websocket.send", "text": said["text"]})


class Client:
    """Reads frames, and writes nothing that the test does not say."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def next(self) -> tuple[int, bytes]:
        """The next frame's opcode and what is in it."""
        async with asyncio.timeout(10):
            kind, length = await self._reader.readexactly(2)
            return kind & 0x0F, await self._reader.readexactly(length)

    async def next_ping(self) -> bytes:
        opcode, payload = await self.next()
        assert opcode == PING
        return payload

    async def write(self, data: bytes) -> None:
        """In a packet of its own."""
        self._writer.write(data)
        await self._writer.drain()
        await asyncio.sleep(0.02)

    async def close(self) -> None:
        self._writer.transport.abort()


def masked_pong(payload: bytes) -> bytes:
    """As clients send it: no mask of zeros."""
    data = bytes(byte ^ key for byte, key in zip(payload, MASK, strict=True))
    return b"\x8a\x84" + MASK + data


@pytest.fixture(params=[PING_S])
def pings(request: pytest.FixtureRequest) -> Pings:
    return Pings(request.param)


@pytest.fixture
async def client(pings: Pings) -> AsyncIterator[Client]:
    port = free_port()
    config = uvicorn.Config(
        echo,
        port=port,
        ws=partial(PingedSocket, pings=pings),  # type: ignore[arg-type]  # as type
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(handshake("/"))
    await reader.readuntil(b"\r\n\r\n")
    one = Client(reader, writer)
    yield one
    await one.close()
    server.should_exit = True
    await running


async def test_who_answers_is_pinged_on_and_on(client: Client) -> None:
    loop = asyncio.get_running_loop()
    began, seen = loop.time(), set()
    for _ in range(5):
        payload = await client.next_ping()
        seen.add(payload)
        await client.write(masked_pong(payload))
    assert len(seen) == 5
    assert loop.time() - began > 4.5 * PING_S
    await client.write(frame(TEXT, b"still here"))
    assert await client.next() == (TEXT, b"still here")


async def test_who_does_not_answer_is_given_up_by_the_next_ping(client: Client) -> None:
    loop = asyncio.get_running_loop()
    await client.next_ping()
    pinged = loop.time()
    opcode, reason = await client.next()
    assert (opcode, int.from_bytes(reason[:2])) == (CLOSE, 1011)
    assert loop.time() - pinged < PING_S + 2.0


async def test_another_answer_is_none(client: Client) -> None:
    payload = await client.next_ping()
    await client.write(masked_pong(bytes(byte ^ 1 for byte in payload)))
    assert (await client.next())[0] == CLOSE


@pytest.mark.parametrize("cut", [1, 2, 6, 9])
async def test_an_answer_in_two_pieces_or_among_others_is_one(client: Client, cut: int) -> None:
    answer = masked_pong(await client.next_ping())
    await client.write(answer[:cut])
    await client.write(answer[cut:])
    await client.write(frame(TEXT, b"a") + masked_pong(await client.next_ping()) + frame(TEXT, b"b"))
    assert [await client.next(), await client.next()] == [(TEXT, b"a"), (TEXT, b"b")]
    for _ in range(2):
        await client.write(frame(PONG, await client.next_ping()))


async def test_what_looks_like_an_answer_in_the_middle_of_a_message_is_a_part_of_it(client: Client) -> None:
    await client.next_ping()
    said = b"\x8a\x84" + b"12345678"
    whole = bytes([0x81, 0x80 | len(said)]) + bytes(4) + said
    await client.write(whole[:6])
    await client.write(said)
    opcode, reason = await client.next()  # which is no text, and refused as such
    assert (opcode, int.from_bytes(reason[:2])) == (CLOSE, 1007)


@pytest.mark.parametrize("pings", [3600.0], indirect=True)
async def test_nothing_is_kept_of_connections_that_are_over(client: Client, pings: Pings) -> None:
    assert len(pings._due) == 1
    await client.close()

    async def none() -> bool:
        return not pings._due

    await eventually(none)
