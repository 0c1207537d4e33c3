"""Nothing that a client names is connected to: addresses are refused where they stand (S16)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from dialtone.local.state import StackState

from .test_servers import pretending

PLACES = [
    "http://127.0.0.1:{port}/latest/meta-data",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://0x7f000001:{port}/",
    "http://localhost:{port}/",
]


def frames(url: str) -> list[tuple[dict[str, Any], str]]:
    """Events that name it, and the field at which each is refused."""
    mcp = {"type": "mcp", "server_label": "inside", "server_url": url}
    image = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_image", "image_url": url}],
    }
    call = {"type": "mcp_call", "server_label": "inside", "name": "x", "arguments": "{}"}
    file = {"id": "pmpt_1", "variables": {"f": {"type": "input_file", "file_url": url}}}
    return [
        (
            {"type": "session.update", "session": {"type": "realtime", "tools": [mcp]}},
            "session.tools[0].type",
        ),
        (
            {"type": "session.update", "session": {"type": "realtime", "prompt": file}},
            "session.prompt.variables.f.type",
        ),
        ({"type": "conversation.item.create", "item": image}, "item.content[0].image_url"),
        ({"type": "conversation.item.create", "item": call}, "item.type"),
        (
            {"type": "response.create", "response": {"input": [image]}},
            "response.input[0].content[0].image_url",
        ),
        ({"type": "response.create", "response": {"tools": [mcp]}}, "response.tools[0].type"),
    ]


async def until(socket: ClientConnection, *kinds: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] in kinds:
                return message


async def refused_at(socket: ClientConnection) -> list[str]:
    """The fields that the last event was refused for."""
    await socket.send('{"type": "input_audio_buffer.clear"}')
    params = []
    while (message := await until(socket, "error", "input_audio_buffer.cleared"))["type"] == "error":
        assert message["error"]["type"] == "invalid_request_error"
        params.append(message["error"]["param"])
    return params


async def answered(socket: ClientConnection) -> str:
    await socket.send('{"type": "response.create", "response": {"output_modalities": ["text"]}}')
    status: str = (await until(socket, "response.done"))["response"]["status"]
    return status


@pytest.mark.parametrize("place", PLACES)
async def test_no_address_that_a_client_names_is_asked(stack: StackState, place: str) -> None:
    async with (
        pretending(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (port, heard),
        connect(f"{stack.url.replace('http', 'ws', 1)}/v1/realtime?model=default") as socket,
    ):
        url = place.format(port=port)
        for sent, param in frames(url):
            await socket.send(json.dumps(sent))
            assert param in await refused_at(socket)
        async with httpx.AsyncClient(base_url=stack.url) as http:
            for settings in ({"base_url": url}, {"model": "default", "api_base": url}):
                assert (await http.post("/v1/sessions", json={"llm": settings})).status_code == 422
        assert await answered(socket) == "completed"  # what the stages had to do is done by now
    assert heard == b""
