"""A client of the Realtime protocol, played by the official SDK."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent

from dialtone.local.call.recording import Recording

FRAME_S = 0.02
RATE = 24_000


def client_of(url: str, key: str = "unused") -> AsyncOpenAI:
    return AsyncOpenAI(
        api_key=key,
        base_url=f"{url}/v1",
        websocket_base_url=f"{url.replace('http', 'ws', 1)}/v1",
        max_retries=0,
    )


class Caller:
    """One call: what came, and what to wait for."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.events: list[RealtimeServerEvent] = []

    async def until(self, kind: str, *, within_s: float = 30.0) -> Any:
        """Read up to the next event of this type."""
        async with asyncio.timeout(within_s):
            while True:
                event = await self.connection.recv()
                self.events.append(event)
                if event.type == kind:
                    return event

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == kind]

    def audio(self) -> bytes:
        return b"".join(base64.b64decode(e.delta) for e in self.of("response.output_audio.delta"))

    async def send_audio(self, audio: bytes) -> None:
        await self.connection.input_audio_buffer.append(audio=base64.b64encode(audio).decode())

    async def play(self, recording: Recording) -> None:
        """Send the recording and then silence, in real time, until cancelled."""
        loop = asyncio.get_running_loop()
        frames = recording.at_rate(RATE).frames()
        silence = bytes(len(frames[0]))
        start, sent = loop.time(), 0
        while True:
            await self.send_audio(frames[sent] if sent < len(frames) else silence)
            sent += 1
            await asyncio.sleep(max(0.0, start + sent * FRAME_S - loop.time()))

    @asynccontextmanager
    async def speaking(self, recording: Recording) -> AsyncIterator[None]:
        playing = asyncio.create_task(self.play(recording))
        try:
            yield
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


@asynccontextmanager
async def calling(
    url: str, *, session_id: str | None = None, key: str = "unused", model: str = "gpt-realtime"
) -> AsyncIterator[Caller]:
    """A call that has been told its session."""
    query: Any = {"session_id": session_id} if session_id else {}
    async with (
        client_of(url, key) as client,
        client.realtime.connect(model=model, extra_query=query) as connection,
    ):
        caller = Caller(connection)
        await caller.until("session.created")
        yield caller
