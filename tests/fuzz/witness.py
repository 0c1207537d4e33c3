"""A caller who must not notice what others do to the gateway."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

ANSWER = (
    "I can help with that. The answer you hear is the same for every question. "
    "Ask me again and you will hear it once more."
)
TURN_S = 20.0
SECOND = b"\x40\x10" * 24_000  # a second of sound


class Witness:
    """Takes turns, in text and in speech by hand, until it is told to stop; each must be answered right."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.replace('http', 'ws', 1)}/v1/realtime?model=default"
        self._stopping = False
        self.turns = 0
        self.frames: list[str] = []  # all that it was sent

    async def run(self) -> None:
        async with connect(self._url, compression=None, max_size=None) as socket:
            await self._until(socket, "session.created")
            hand = {"turn_detection": None, "transcription": {"model": "whisper-1"}}
            await _send(socket, "session.update", session={"type": "realtime", "audio": {"input": hand}})
            await self._until(socket, "session.updated")
            while not self._stopping:
                await self._text_turn(socket)
                await self._voice_turn(socket)
                self.turns += 1

    async def stop(self, task: asyncio.Task[None]) -> None:
        """End after the turn that is going on; raises what went wrong, if anything did."""
        self._stopping = True
        async with asyncio.timeout(3 * TURN_S):
            with suppress(asyncio.CancelledError):
                await task

    async def _text_turn(self, socket: ClientConnection) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
        await _send(socket, "conversation.item.create", item=item)
        await _send(socket, "response.create", response={"output_modalities": ["text"]})
        events = await self._until(socket, "response.done")
        text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
        assert text == ANSWER, text
        assert events[-1]["response"]["status"] == "completed"

    async def _voice_turn(self, socket: ClientConnection) -> None:
        await _send(socket, "input_audio_buffer.append", audio=b64encode(SECOND).decode())
        await _send(socket, "input_audio_buffer.commit")
        await _send(socket, "response.create")
        events = await self._until(socket, "response.done")
        kinds = [event["type"] for event in events]
        assert "conversation.item.input_audio_transcription.completed" in kinds, kinds
        output = events[-1]["response"]["output"]
        assert output[0]["content"][0]["transcript"] == ANSWER, output
        audio = b"".join(b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")
        assert len(audio) > 2 * 24_000, len(audio)

    async def _until(self, socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        async with asyncio.timeout(TURN_S):
            while not events or events[-1]["type"] != kind:
                self.frames.append(str(await socket.recv()))
                events.append(json.loads(self.frames[-1]))
                assert events[-1]["type"] != "error", events[-1]
        return events


async def _send(socket: ClientConnection, kind: str, **members: Any) -> None:
    await socket.send(json.dumps({"type": kind, **members}))
