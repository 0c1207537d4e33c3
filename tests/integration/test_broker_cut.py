"""The network between a gateway and its broker is cut: clients are told soon, and let go if it stays so."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dialtone.local.state import StackState
from tests.fixtures.gateway_processes import GatewayProcess, joining
from tests.fixtures.nats_proxy import Cut, NatsProxy
from tests.fixtures.waiting import eventually

TOLD_S = 3.0
BACK_S = 10.0  # a worker that is only silent is waited for longer


def network_of(stack: StackState) -> NatsProxy:
    port = urlsplit(stack.nats_url).port
    assert port is not None
    return NatsProxy(port)


def realtime(gateway: GatewayProcess) -> connect:
    return connect(f"{gateway.socket_url}/v1/realtime?model=default", compression=None, max_size=2**24)


async def event(socket: ClientConnection, kind: str) -> Any:
    """The next event of this type; others are passed over."""
    async with asyncio.timeout(20):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


async def ask(socket: ClientConnection) -> None:
    said = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "Tell me a story."}],
    }
    await socket.send(json.dumps({"type": "conversation.item.create", "item": said}))
    await socket.send('{"type": "response.create"}')


@pytest.mark.parametrize(
    "way",
    [
        "both",
        pytest.param("to_client", marks=pytest.mark.chaos),
        pytest.param("to_server", marks=pytest.mark.chaos),
    ],
)
async def test_clients_are_told_within_3_s_and_an_answer_goes_on_when_the_network_is_back(
    stack: StackState, tmp_path: Path, way: Cut
) -> None:
    async with (
        network_of(stack) as network,
        joining(stack, tmp_path, NATS_URL=network.url) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as http,
        realtime(gateway) as socket,
    ):

        async def not_ready() -> bool:
            assert (await http.get("/livez")).status_code == 200
            return (await http.get("/readyz")).status_code == 503

        await ask(socket)
        await event(socket, "response.output_audio_transcript.delta")
        network.cut(way)
        cut_at = time.monotonic()
        assert (await event(socket, "error"))["error"]["code"] == "bus_unavailable"
        assert time.monotonic() - cut_at < TOLD_S
        await eventually(not_ready, within_s=TOLD_S - (time.monotonic() - cut_at))
        with pytest.raises(InvalidStatus) as refused:
            await realtime(gateway)
        assert refused.value.response.status_code == 503
        network.heal()
        async with asyncio.timeout(BACK_S):
            assert (await event(socket, "response.done"))["response"]["status"] == "completed"
        await eventually(gateway.ready)


@pytest.mark.chaos
async def test_a_call_is_ended_when_the_network_stays_cut(stack: StackState, tmp_path: Path) -> None:
    async with (
        network_of(stack) as network,
        joining(stack, tmp_path, NATS_URL=network.url, BUS_AWAY_S="6") as gateway,
        realtime(gateway) as socket,
    ):
        await event(socket, "session.created")
        network.cut()
        cut_at = time.monotonic()
        await event(socket, "error")
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(20):
                await socket.recv()
        assert 6 < time.monotonic() - cut_at < 11
        assert socket.close_code == 1013
        network.heal()
        await eventually(gateway.ready)
        async with realtime(gateway) as again:
            await ask(again)
            assert (await event(again, "response.done"))["response"]["status"] == "completed"
