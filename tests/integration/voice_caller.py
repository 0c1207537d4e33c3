"""A client of the voice_call protocol."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from dialtone.local.call.recording import Recording

RATE = 16_000
HASTE = 4
"""So much faster than spoken a recording is sent: what hears it goes by its samples, not by a clock."""


async def new_session(url: str, **body: Any) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url) as http:
        answer = await http.post("/v1/sessions", json=body)
        assert answer.status_code == 201, answer.text
        session: dict[str, Any] = answer.json()
        return session


async def read_session(url: str, session_id: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url) as http:
        answer = await http.get(f"/v1/sessions/{session_id}")
        assert answer.status_code == 200, answer.text
        session: dict[str, Any] = answer.json()
        return session


class VoiceCaller:
    """One voice_call connection; `got` is what came: JSON frames as objects, sound as bytes."""

    def __init__(self, socket: ClientConnection, session_id: str) -> None:
        self.socket = socket
        self.session_id = session_id
        self.got: list[dict[str, Any] | bytes] = []

    async def send(self, audio: bytes = b"", *, is_close: bool = False) -> None:
        await self.socket.send(
            json.dumps(
                {
                    "audio": base64.b64encode(audio).decode(),
                    "meta_info": {"session_id": self.session_id, "encoding": "raw"},
                    "is_close": is_close,
                }
            )
        )

    async def read(self, *, within_s: float = 30.0) -> dict[str, Any] | bytes:
        async with asyncio.timeout(within_s):
            frame = await self.socket.recv()
        message = frame if isinstance(frame, bytes) else json.loads(frame)
        self.got.append(message)
        return message

    async def error(self) -> dict[str, Any]:
        """The next frame, which is an error."""
        message = await self.read()
        assert isinstance(message, dict), "sound instead of an error"
        assert message["type"] == "error", message
        return message

    async def read_to_the_end(self) -> int:
        """Read until the connection is closed; the close code, 1006 without a close frame."""
        with suppress(ConnectionClosed):
            while True:
                await self.read()
        return self.socket.close_code or 1006

    async def say(self, recording: Recording, *, then_silence_s: float) -> None:
        frames = recording.at_rate(RATE).frames()
        frames += [bytes(len(frames[0]))] * round(then_silence_s / 0.02)
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number, frame in enumerate(frames, 1):
            await self.send(frame)
            await asyncio.sleep(max(0.0, start + number * 0.02 / HASTE - loop.time()))

    @property
    def sentences(self) -> list[str]:
        return [m["msg"] for m in self.got if isinstance(m, dict) and m["type"] == "text"]

    @property
    def sound(self) -> bytes:
        return b"".join(m for m in self.got if isinstance(m, bytes))


@asynccontextmanager
async def voice_calling(url: str, session_id: str) -> AsyncIterator[VoiceCaller]:
    address = f"{url.replace('http', 'ws', 1)}/chat/voice_call"
    async with connect(address, compression=None, max_size=2**24) as socket:
        yield VoiceCaller(socket, session_id)
