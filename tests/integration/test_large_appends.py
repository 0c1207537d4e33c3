"""The largest append that the protocol allows, on a whole stack."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from dialtone.local.state import StackState

MOST = 15 * 2**20  # bytes of audio


async def event(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


def append(size: int) -> str:
    return json.dumps(
        {
            "type": "input_audio_buffer.append",
            "audio": base64.b64encode(bytes(size)).decode(),
            "event_id": "e",
        }
    )


async def test_fifteen_mebibytes_come_in_at_once_and_what_follows_them_is_answered(stack: StackState) -> None:
    address = f"{stack.url.replace('http', 'ws', 1)}/v1/realtime?model=default"
    by_hand = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    async with connect(address, compression=None) as socket, connect(address, compression=None) as bystander:
        await socket.send(json.dumps({"type": "session.update", "session": by_hand}))
        await event(socket, "session.updated")
        sending = asyncio.create_task(socket.send(append(MOST)))
        for _ in range(10):
            await asyncio.wait_for(await bystander.ping(), 2)
        await sending
        await socket.send('{"type": "input_audio_buffer.commit"}')
        committed = await event(socket, "input_audio_buffer.committed")
        await socket.send(append(MOST + 2))
        error = (await event(socket, "error"))["error"]
        assert (error["param"], error["event_id"]) == ("audio", "e")
        assert "15" in error["message"]
        retrieve = {"type": "conversation.item.retrieve", "item_id": committed["item_id"]}
        await socket.send(json.dumps(retrieve))
        await event(socket, "conversation.item.retrieved")
