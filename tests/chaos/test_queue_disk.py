"""The disk of the broker's work queues is full: calls stay, their clients are told, and it can be mended."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.chaos.machines import Stack, running_stack

LONG = "Be brief. " * 1000  # not to fit into what is left of a page of the disk
TOLD_S = 10.0  # five seconds for a worker to take the work, with the last try to queue it


class SmallDisk:
    """A file system of 4 MB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                return  # it is full

    def free(self) -> None:
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "nats"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], check=False)
    if mounted.returncode != 0:
        pytest.skip("nobody may mount here")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def answer(socket: ClientConnection) -> dict[str, Any]:
    """Ask something; the response when it has come to its end."""
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": said}))
    wanted = {"output_modalities": ["text"], "instructions": LONG}
    await socket.send(json.dumps({"type": "response.create", "response": wanted}))
    async with asyncio.timeout(30):
        while True:
            event = json.loads(await socket.recv())
            if event["type"] == "response.done":
                response: dict[str, Any] = event["response"]
                return response


async def unqueued(stack: Stack) -> float:
    return await stack.gateway.metric("dialtone_gateway_unqueued_work_total")


async def checks(stack: Stack) -> tuple[int, bool]:
    """The status of the gateway's readiness, and whether it can queue work."""
    async with httpx.AsyncClient(base_url=stack.gateway_url.replace("ws", "http", 1), timeout=5) as http:
        answer = await http.get("/readyz")
    return answer.status_code, answer.json()["checks"]["queues"]


@pytest.mark.chaos
async def test_a_client_is_told_and_its_call_goes_on_when_there_is_room_and_a_new_broker(
    disk: SmallDisk, tmp_path: Path
) -> None:
    async with running_stack(tmp_path) as stack, connect(f"{stack.gateway_url}/v1/realtime") as socket:
        assert (await answer(socket))["status"] == "completed"
        assert await unqueued(stack) == 0
        disk.fill()
        since = time.monotonic()
        response = await answer(socket)
        assert time.monotonic() - since < TOLD_S
        assert response["status"] == "failed"
        assert response["status_details"]["error"]["code"] == "bus_unavailable"
        assert await unqueued(stack) > 0
        assert await checks(stack) == (503, False)
        disk.free()
        await asyncio.sleep(3)  # in which the gateway has tried again
        assert await checks(stack) == (503, False)  # nats-server does not try to write again by itself
        await asyncio.to_thread(stack.nats.restart)
        await stack.gateway.ready()
        assert await checks(stack) == (200, True)
        assert (await answer(socket))["status"] == "completed"
