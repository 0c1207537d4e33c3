"""A caller's line, with a real WebSocket server at its other end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.bench.line import CallFailed, Line
from tests.bench.wire import text_frame

Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def gateway(handler: Handler) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def line_to(url: str, heard: list[str | bytes]) -> Line:
    def hear(message: str | bytes, _now: float) -> bool:
        heard.append(message)
        return message != "not waited for"

    return Line(url, hear, {"Authorization": "Bearer k"})


async def test_what_is_said_is_answered_and_waited_for() -> None:
    async def echo(socket: ServerConnection) -> None:
        assert socket.request is not None
        await socket.send("not waited for")
        await socket.send(socket.request.headers["Authorization"])
        async for message in socket:
            await socket.send(message)

    heard: list[str | bytes] = []
    async with gateway(echo) as url:
        line = line_to(url, heard)
        async with line.dialled():
            await line.send("sent")
            line.write(text_frame(b"written"))
            assert await line.until(lambda: len(heard) == 4, 10)
            assert not await line.until(lambda: len(heard) == 5, 0.01)
    assert heard == ["not waited for", "Bearer k", "sent", "written"]
    assert not line.gone


async def test_who_waits_is_told_why_the_connection_ended() -> None:
    async def hang_up(socket: ServerConnection) -> None:
        await socket.close(1013, "full")

    async with gateway(hang_up) as url:
        line = line_to(url, [])
        with pytest.raises(CallFailed, match=r"1013.*full"):
            async with line.dialled():
                await line.until(lambda: False, 10)
        assert "1013" in line.gone


async def test_a_call_that_is_refused_fails_with_the_reason() -> None:
    async with gateway(lambda _socket: asyncio.sleep(0)) as url:
        port = int(url.rpartition(":")[2])
    with pytest.raises(CallFailed, match="Error: "):
        async with line_to(f"ws://127.0.0.1:{port}", []).dialled():
            pass


async def test_a_line_that_is_cut_ends_without_a_close_frame() -> None:
    ended: asyncio.Queue[ConnectionClosed] = asyncio.Queue()

    async def listen(socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await socket.send("hello")
        try:
            await socket.recv()
        except ConnectionClosed as closed:
            ended.put_nowait(closed)

    heard: list[str | bytes] = []
    async with gateway(listen) as url:
        line = line_to(url, heard)
        async with line.dialled():
            assert await line.until(lambda: bool(heard), 10)
            line.cut()
        closed = await asyncio.wait_for(ended.get(), 10)
    assert closed.rcvd is None
