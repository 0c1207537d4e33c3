"""What no client library does on an open socket: wrong frames, half of them, none at all (S7, S8, S10)."""

from __future__ import annotations

import asyncio
import base64
import json
import socket as socketlib
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect

from dialtone.gateway.settings import GatewaySettings
from tests.fixtures.gateway import Gateway, running_gateway
from tests.fixtures.waiting import eventually
from tests.fuzz.raw import CONTINUATION, PING, TEXT, frame, handshake

REALTIME = "/v1/realtime?model=default"
MESSAGE_S = 1.0
OUTBOUND = 2**20
FEW = 2
CLEAR = b'{"type": "input_audio_buffer.clear"}'
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    limits = {"MESSAGE_TIMEOUT_S": str(MESSAGE_S), "REQUEST_TIMEOUT_S": "2", "MAX_CALLS": "300"}
    limits |= {"SEND_TIMEOUT_S": "2", "TCP_USER_TIMEOUT_S": "1", "OUTBOUND_BUFFER_BYTES": str(OUTBOUND)}
    limits |= {"CONVERSATION_BYTES": str(2**24)}
    limits |= {"PING_S": "100"}  # who is gone was not sent away by an unanswered ping
    with running_gateway(tmp_path_factory.mktemp("sockets"), **limits) as gateway:
        yield gateway


@asynccontextmanager
async def opened(gateway: Gateway, extra: bytes = b"") -> AsyncIterator[tuple[bytes, Stream]]:
    """The answer to a handshake with these headers too, and the connection."""
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(handshake(REALTIME).replace(b"\r\n\r\n", b"\r\n" + extra + b"\r\n"))
        yield await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10), (reader, writer)
    finally:
        writer.transport.abort()


async def close_code(stream: Stream) -> int:
    """That of the close frame at the end of all that comes."""
    came = b""
    with suppress(ConnectionError):
        async with asyncio.timeout(20):
            while piece := await stream[0].read(65_536):
                came += piece
    at = came.rindex(b"\x88")
    return int.from_bytes(came[at + 2 : at + 4], "big")


# --- compression


async def test_compression_is_never_agreed_on_and_what_is_compressed_is_refused(gateway: Gateway) -> None:
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    async with opened(gateway, offer) as (answer, stream):
        assert b" 101 " in answer
        assert b"extensions" not in answer.lower()
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        bomb = deflate.compress(bytes(2**20)) + deflate.flush(zlib.Z_SYNC_FLUSH)
        stream[1].write(frame(TEXT, bomb[:-4], reserved=4))
        assert await close_code(stream) == 1002


# --- JSON


@pytest.mark.parametrize(
    "text",
    [
        '{"type": ' + "[" * 1000 + "]" * 1000 + "}",
        "[" * 40_000,
        '{"type": "response.create", "response": {"temperature": NaN}}',
        '{"type": "response.create", "response": {"temperature": 1e999}}',
        '{"type": "response.create", "response": {"instructions": "\\ud800"}}',
        '{"type": "response.create", "response": {"max_output_tokens": ' + "9" * 200_000 + "}}",
        '{"type": "response.cancel", "type": "response.cancel"}',
        '{"type": "input_audio_buffer.append", "audio": "' + "?" * 100_000 + '"}',
    ],
    ids=["deep", "deeper", "NaN", "infinite", "surrogate", "long number", "twice", "not base64"],
)
async def test_hostile_json_is_an_error_and_the_call_goes_on(gateway: Gateway, text: str) -> None:
    async with connect(gateway.socket_url + REALTIME, compression=None) as socket:
        await socket.recv()
        start = time.monotonic()
        await socket.send(text)
        assert json.loads(await asyncio.wait_for(socket.recv(), 5))["type"] == "error"
        await socket.send(CLEAR.decode())
        assert json.loads(await socket.recv())["type"] == "input_audio_buffer.cleared"
        assert time.monotonic() - start < 4


# --- handshakes


@pytest.mark.parametrize(
    ("at", "more"),
    [
        (b"model=default", b"model=" + b"x" * 10_000),
        (b"model=default", b"model=" + b"x" * 2**20),
        (b"Host: localhost", b"Host: localhost\r\nCookie: " + b"x" * 10_000),
        (b"Host: localhost", b"Host: localhost" + b"\r\nX: y" * 300),
        (b"Host: localhost", b"Host: localhost\r\nContent-Length: 5"),
    ],
    ids=["a long line", "a very long line", "a long header", "many headers", "a body"],
)
async def test_a_handshake_that_cannot_be_read_is_refused_at_once(
    gateway: Gateway, at: bytes, more: bytes
) -> None:
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(handshake(REALTIME).replace(at, more))
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "invalid_handshake"


async def test_frames_that_do_not_wait_for_the_handshakes_answer_leave_no_traceback(gateway: Gateway) -> None:
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    before = gateway.log.read_text().count("Traceback")
    for _ in range(8):  # what came together with the handshake is lost, so what follows is no frame
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(handshake(REALTIME) + frame(TEXT, b"x" * 700_000))
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(1), 10)
        writer.transport.abort()
    async with opened(gateway) as (answer, _):
        assert b" 101 " in answer
    assert gateway.log.read_text().count("Traceback") == before


# --- slowness


@pytest.mark.parametrize(
    "half",
    [
        frame(TEXT, CLEAR)[:1],
        frame(TEXT, CLEAR)[:-5],
        frame(TEXT, CLEAR[:5], fin=False),
        frame(TEXT, CLEAR[:5], fin=False) + frame(CONTINUATION, b"", fin=False) + frame(PING, b""),
    ],
    ids=["a byte", "half a frame", "a fragment", "fragments and a ping"],
)
async def test_a_message_that_never_ends_ends_its_call(gateway: Gateway, half: bytes) -> None:
    async with opened(gateway) as (_, stream):
        start = time.monotonic()
        stream[1].write(half)
        assert await close_code(stream) == 1008
        assert MESSAGE_S * 0.9 < time.monotonic() - start < MESSAGE_S + 8


async def test_a_message_that_comes_a_byte_at_a_time_ends_its_call(gateway: Gateway) -> None:
    async def dribble(writer: asyncio.StreamWriter) -> None:
        for byte in frame(TEXT, CLEAR * 100):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    async with opened(gateway) as (_, stream):
        dribbling = asyncio.create_task(dribble(stream[1]))
        assert await close_code(stream) == 1008
        dribbling.cancel()


async def test_a_message_that_comes_at_a_fair_rate_may_take_its_time(gateway: Gateway) -> None:
    whole = frame(TEXT, b'{"type": "' + b"x" * 300_000 + b'"}')
    async with opened(gateway) as (_, stream):
        start = time.monotonic()
        for at in range(0, len(whole), 10_000):
            stream[1].write(whole[at : at + 10_000])
            await asyncio.sleep(MESSAGE_S / 15)
        came = b""
        async with asyncio.timeout(10):
            while b'"error"' not in came:  # there is no such event
                came += await stream[0].read(65_536)
        assert time.monotonic() - start > 2 * MESSAGE_S


def test_by_default_none_of_this_takes_longer_than_ten_seconds() -> None:
    settings = GatewaySettings()
    for seconds in (
        settings.request_timeout_s,
        settings.message_timeout_s,
        settings.send_timeout_s,
        settings.tcp_user_timeout_s,
    ):
        assert seconds <= 10


async def test_messages_in_time_are_taken_however_they_are_cut_and_for_as_long_as_they_come(
    gateway: Gateway,
) -> None:
    async with opened(gateway) as (_, stream):
        start, sent = time.monotonic(), 0
        whole = frame(TEXT, CLEAR[:9], fin=False) + frame(PING, b"x") + frame(CONTINUATION, CLEAR[9:])
        while time.monotonic() - start < 2 * MESSAGE_S:
            for at in range(0, len(whole), 7):
                stream[1].write(whole[at : at + 7])
                await asyncio.sleep(0.005)
            sent += 1
        came = b""
        async with asyncio.timeout(10):
            while came.count(b"input_audio_buffer.cleared") < sent:
                came += await stream[0].read(65_536)


@pytest.mark.parametrize("clients", [FEW, pytest.param(50, marks=pytest.mark.chaos)])
async def test_clients_that_do_not_read_are_gone_in_time_and_take_bounded_memory(
    gateway: Gateway, clients: int
) -> None:
    process = psutil.Process(gateway.pid)
    port = int(gateway.url.rpartition(":")[2])
    item = {
        "id": "big",
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "x" * 200_000}],
    }
    create = json.dumps({"type": "conversation.item.create", "item": item}).encode()
    retrieve = frame(TEXT, b'{"type": "conversation.item.retrieve", "item_id": "big"}')

    async def stalled() -> float:
        async with httpx.AsyncClient() as http:
            lines = (await http.get(f"{gateway.url}/metrics")).text.splitlines()
        name = "dialtone_gateway_stalled_clients_total "
        return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))

    before, rss = await stalled(), process.memory_info().rss
    most = rss

    async def all_stalled() -> bool:
        nonlocal most
        most = max(most, process.memory_info().rss)
        return await stalled() == before + clients

    async def all_gone() -> bool:
        open_ones = [c for c in process.net_connections("tcp") if c.laddr.port == port and c.raddr]
        return not open_ones

    async with AsyncExitStack() as held:
        for _ in range(clients):
            _, stream = await held.enter_async_context(opened(gateway))
            stream[1].transport.pause_reading()  # type: ignore[attr-defined]  # a ReadTransport too
            stream[1].write(frame(TEXT, create) + retrieve * 90)  # some 18 MB of answers
        await eventually(all_stalled, within_s=30)
        assert most - rss < clients * 3 * OUTBOUND + 24 * 2**20
        if clients > FEW:  # it takes ten seconds, in which the close frame would be taken
            await eventually(all_gone, within_s=30)


async def test_a_client_that_does_not_read_the_answer_to_its_request_is_gone_in_time(
    gateway: Gateway,
) -> None:
    """Six megabytes, of which the system has room for a part; the rest waits in the gateway."""
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    text = {"type": "input_text", "text": "x" * 200_000}
    create = json.dumps(
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [text]}}
    )
    async with connect(gateway.socket_url + REALTIME, compression=None) as socket:
        session_id = json.loads(await socket.recv())["session"]["id"]
        for _ in range(40):
            await socket.send(create)
            while json.loads(await socket.recv())["type"] != "conversation.item.done":
                pass
    with socketlib.socket() as client:
        client.setsockopt(socketlib.SOL_SOCKET, socketlib.SO_RCVBUF, 4096)
        client.connect((host, int(port)))
        mine = client.getsockname()[1]
        client.sendall(f"GET /v1/sessions/{session_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

        async def gone() -> bool:
            connections = psutil.Process(gateway.pid).net_connections("tcp")
            return not any(c.raddr and c.raddr.port == mine for c in connections)

        await eventually(gone, within_s=30)
        assert client.recv(1) == b"H"  # it was answered


@pytest.mark.parametrize(("each", "calls"), [(100, 1), pytest.param(667, 50, marks=pytest.mark.chaos)])
async def test_a_crowd_of_slow_clients_is_gone_in_time_and_calls_beside_it_are_served(
    gateway: Gateway, each: int, calls: int
) -> None:
    """Nothing, half a handshake and half a message, so many times each."""
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    append = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(960)).decode()})
    half_message = frame(TEXT, append.encode())[:-1]
    beginnings = [
        (b"", b""),
        (b"GET /v1/realtime HTTP/1.1\r\nHost: loc", b""),
        (handshake(REALTIME), half_message),
    ]

    async def slow(first: bytes, then: bytes) -> None:
        """Returns when the other side has closed."""
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(first)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            if then:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(then)
            while await reader.read(65_536):
                pass
        writer.transport.abort()

    async def served(crowd: asyncio.Future[list[None]]) -> None:
        async with connect(gateway.socket_url + REALTIME, compression=None) as socket:
            await socket.recv()
            ready.release()
            while not crowd.done():
                await socket.send(CLEAR.decode())
                answer = json.loads(await asyncio.wait_for(socket.recv(), 5))
                assert answer["type"] == "input_audio_buffer.cleared"
                await asyncio.sleep(0.05)

    async def come() -> list[None]:
        for _ in range(calls):
            await ready.acquire()
        return await asyncio.gather(*(slow(*one) for one in beginnings * each))

    ready = asyncio.Semaphore(0)
    async with asyncio.timeout(60):
        crowd = asyncio.ensure_future(come())
        await asyncio.gather(crowd, *(served(crowd) for _ in range(calls)))
