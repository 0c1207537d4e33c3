"""The official SDK, which is told its session id only, goes on by itself when a gateway is restarted."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from openai.types.websocket_reconnection import ReconnectingEvent, ReconnectingOverrides

from dialtone.local.state import StackState
from tests.fixtures.gateway_processes import joining

from .caller import client_of


class Balancer:
    """Brings each connection to the first of these gateways that is ready, as its `/readyz` has it."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = urlsplit(await self._ready())
        far_reader, far_writer = await asyncio.open_connection(there.hostname, there.port)
        await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))

    async def _ready(self) -> str:
        async with httpx.AsyncClient() as http:
            for url in self._urls:
                try:
                    if (await http.get(f"{url}/readyz")).status_code == 200:
                        return url
                except httpx.TransportError:
                    continue
        raise AssertionError("no gateway is ready")


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def balancing(*urls: str) -> AsyncIterator[str]:
    server = await asyncio.start_server(Balancer(urls).serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_it_goes_on_with_its_session_at_another_gateway(stack: StackState, tmp_path: Path) -> None:
    session_id = ""
    closed: list[int] = []

    def come_back(event: ReconnectingEvent) -> ReconnectingOverrides:
        closed.append(event.close_code)
        return {"extra_query": {"session_id": session_id}}

    async with (
        joining(stack, tmp_path) as gateway,
        balancing(gateway.url, stack.url) as url,
        client_of(url) as client,
        client.realtime.connect(model="default", on_reconnecting=come_back) as connection,
        asyncio.timeout(30),
    ):
        item_id = ""
        async for event in connection:
            if event.type == "session.created" and not session_id:
                session_id = str(event.session.id)  # type: ignore[union-attr]  # in no type of the SDK
                await connection.conversation.item.create(
                    item={
                        "type": "message",
                        "role": "user",
                        "content": [{"type": "input_text", "text": "Remember me."}],
                    }
                )
            elif event.type == "conversation.item.done":
                item_id = event.item.id or ""
                gateway.send(signal.SIGTERM)
            elif event.type == "session.created":
                assert event.session.id == session_id  # type: ignore[union-attr]
                await connection.conversation.item.retrieve(item_id=item_id)
            elif event.type == "conversation.item.retrieved":
                assert event.item.id == item_id
                break
        assert closed == [1012]
        assert (await gateway.ended())[0] == 0
