"""The disk of a gateway is full, for its database and its log alike: calls go on and are stored later."""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from dialtone.local.state import StackState
from tests.fixtures.gateway_processes import GatewayProcess, joining
from tests.fixtures.waiting import eventually


class Disk:
    """The system lets a process write no file, or any again. Others are not touched."""

    def __init__(self, process: int) -> None:
        self._process = process

    def fill(self) -> None:
        resource.prlimit(self._process, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def free(self) -> None:
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(self._process, resource.RLIMIT_FSIZE, unlimited)


async def event(socket: ClientConnection, kind: str) -> Any:
    """The next event of this type; others are passed over."""
    async with asyncio.timeout(20):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


async def turn(socket: ClientConnection, text: str) -> None:
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": said}))
    await socket.send('{"type": "response.create", "response": {"output_modalities": ["text"]}}')
    assert (await event(socket, "response.done"))["response"]["status"] == "completed"


async def metric(gateway: GatewayProcess, name: str) -> float:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        lines = (await http.get("/metrics")).text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def test_calls_go_on_while_nothing_can_be_written_and_all_is_stored_afterwards(
    stack: StackState, tmp_path: Path
) -> None:
    database = tmp_path / "own.db"
    async with joining(stack, tmp_path, DATABASE_URL=f"sqlite+aiosqlite:///{database}") as gateway:
        disk = Disk(gateway.process.pid)
        async with connect(f"{gateway.socket_url}/v1/realtime?model=default") as socket:
            session_id = (await event(socket, "session.created"))["session"]["id"]
            await turn(socket, "One")
            log_size = gateway.log.stat().st_size
            disk.fill()
            for text in ("Two", "Three"):
                await turn(socket, text)
            assert await metric(gateway, 'dialtone_store_up{store="sql"}') == 0
            assert await metric(gateway, "dialtone_store_outbox_entries") >= 4
            assert await metric(gateway, "dialtone_log_lines_lost_total") > 0
            async with connect(f"{gateway.socket_url}/v1/realtime?model=default") as second:
                await turn(second, "Another call")
            assert gateway.log.stat().st_size == log_size

            disk.free()
            await turn(socket, "Four")

            async def all_stored() -> bool:
                return await metric(gateway, "dialtone_store_outbox_entries") == 0

            await eventually(all_stored)
            assert await metric(gateway, 'dialtone_store_up{store="sql"}') == 1
            async with connect(f"{gateway.socket_url}/v1/realtime?model=default") as third:
                await event(third, "session.created")
            assert "call opened" in gateway.log.read_text()[log_size:]
    with closing(sqlite3.connect(database)) as sql:
        rows = sql.execute("SELECT item FROM items WHERE session_id = ? ORDER BY position", [session_id])
        asked = [
            item["content"][0]["text"] for (text,) in rows if (item := json.loads(text))["role"] == "user"
        ]
    assert asked == ["One", "Two", "Three", "Four"]
