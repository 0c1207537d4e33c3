"""A gateway is killed in the moment in which it says that something is done: it is there afterwards.

A write takes Valkey less time than a signal takes to the gateway. So either more is written than it has
stored by then, or Valkey lets writes wait for a moment.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection

from tests.chaos.caller import connected
from tests.chaos.gateways import Gateways, two_of_each

ROUNDS = 12
WRITTEN = {"output_modalities": ["text"]}
ITEMS = 4  # at once: the last is told right after the first, and stored after all others
NEARLY_ALL = "go on when"  # of every answer, but for 60 ms
WRITES_WAIT_MS = 100  # from there on; a gateway waits twice as long for its store
# Each round begins with a new gateway.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chaos, pytest.mark.timeout(600)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateways(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateways]:
    async with two_of_each(tmp_path_factory.mktemp("tells")) as running:
        yield running


async def say(socket: ClientConnection, text: str) -> None:
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await socket.send(json.dumps({"type": "conversation.item.create", "item": said}))


async def let_writes_wait(gateways: Gateways) -> None:
    async with Redis.from_url(gateways.stack.valkey.url) as valkey:
        await valkey.client_pause(WRITES_WAIT_MS, all=False)


async def told(socket: ClientConnection, kind: str, times: int) -> list[dict[str, Any]]:
    """So many events of this kind."""
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while len(events) < times:
            event = json.loads(await socket.recv())
            if event["type"] == kind:
                events.append(event)
    return events


async def kept(address: str, session_id: str) -> list[str]:
    async with httpx.AsyncClient(base_url=address.replace("ws", "http", 1), timeout=5) as http:
        session = (await http.get(f"/v1/sessions/{session_id}")).json()
    return [message["content"] for message in session["messages"]]


@pytest.mark.parametrize("moment", ["items", "answer"])
async def test_what_a_client_was_told_is_there(gateways: Gateways, moment: str) -> None:
    chance = random.Random(4)
    lost: list[str] = []
    for number in range(ROUNDS):
        while len(gateways.addresses()) < 2:
            await gateways.start().ready()
        first, second = gateways.addresses()
        socket = await connected(f"{first}/v1/realtime")
        session_id = (await told(socket, "session.created", 1))[0]["session"]["id"]
        if moment == "items":
            count = chance.randint(1, ITEMS)
            for item in range(ITEMS):
                await say(socket, f"round {number} item {item}")
            await told(socket, "conversation.item.done", count)
            gateways.running[first].signal(signal.SIGKILL)
            expected = [f"round {number} item {item}" for item in range(count)]
        else:
            await say(socket, f"round {number}")
            await socket.send(
                json.dumps({"type": "response.create", "response": {"output_modalities": ["text"]}})
            )
            said = ""
            while NEARLY_ALL not in said:
                said += (await told(socket, "response.output_text.delta", 1))[0]["delta"]
            await let_writes_wait(gateways)
            done = (await told(socket, "response.done", 1))[0]
            gateways.running[first].signal(signal.SIGKILL)
            answer = "".join(part["text"] for item in done["response"]["output"] for part in item["content"])
            expected = [f"round {number}", answer]
        await socket.wait_closed()
        await gateways.running[first].gone()
        found = await kept(second, session_id)
        lost += [text for text in expected if text not in found]
    assert lost == []
