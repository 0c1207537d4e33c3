"""A client of either dialect, played by the official SDK."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI

from dialtone.local.call.recording import Recording
from tests.conformance.dialect import AudioFormat, Dialect, Modality, Setup
from tests.conformance.sound import FRAME_S, frames, silence
from tests.integration.caller import client_of


class Caller:
    """One connection: what came, and what to wait for. Kinds of events are named as GA names them."""

    def __init__(self, dialect: Dialect, connection: Any) -> None:
        self.dialect = dialect
        self.connection = connection
        self.events: list[Any] = []

    async def next(self) -> Any:
        """Read one event."""
        event = await self.connection.recv()
        self.events.append(event)
        return event

    async def until(self, *kinds: str, within_s: float = 30.0) -> Any:
        """Read up to the next event of one of these kinds."""
        wanted = {self.dialect.wire(kind) for kind in kinds}
        async with asyncio.timeout(within_s):
            while (event := await self.next()).type not in wanted:
                pass
        return event

    async def listen(self, seconds: float) -> None:
        """Read what comes for this long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await self.next()

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == self.dialect.wire(kind)]

    def text(self, kind: str) -> str:
        """The deltas of this kind, joined."""
        return "".join(event.delta for event in self.of(kind))

    def audio(self) -> bytes:
        """All audio of the answers, as it came."""
        return b"".join(base64.b64decode(event.delta) for event in self.of("response.output_audio.delta"))

    def errors(self) -> list[Any]:
        return [event.error for event in self.of("error")]

    # --- what it says

    async def send(self, kind: str, **members: Any) -> None:
        await self.connection.send({"type": kind, **members})

    async def set_up(self, setup: Setup) -> Any:
        """Change the session; return it as `session.updated` has it."""
        await self.connection.session.update(session=self.dialect.session(setup))
        return (await self.until("session.updated")).session

    async def say(self, text: str, **more: Any) -> None:
        """Add a user's message."""
        content = [{"type": "input_text", "text": text}]
        await self.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": content}, **more
        )

    async def ask(self, text: str, modality: Modality = "text", **response: Any) -> Any:
        """Add a user's message and have it answered; return the response when it is done."""
        await self.say(text)
        await self.connection.response.create(response=self.dialect.response(modality, **response))
        return (await self.until("response.done")).response

    async def retrieve(self, item_id: str) -> Any:
        await self.connection.conversation.item.retrieve(item_id=item_id)
        return (await self.until("conversation.item.retrieved")).item

    async def append(self, audio: bytes) -> None:
        await self.connection.input_audio_buffer.append(audio=base64.b64encode(audio).decode())

    async def _play(self, recording: Recording, form: AudioFormat) -> None:
        loop = asyncio.get_running_loop()
        speech, after = frames(recording, form), silence(form)
        start, sent = loop.time(), 0
        while True:
            await self.append(speech[sent] if sent < len(speech) else after)
            sent += 1
            await asyncio.sleep(max(0.0, start + sent * FRAME_S - loop.time()))

    @asynccontextmanager
    async def speaking(self, recording: Recording, form: AudioFormat = "pcm") -> AsyncIterator[None]:
        """Send the recording and then silence, in real time, inside the block."""
        playing = asyncio.create_task(self._play(recording, form))
        try:
            yield
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Server:
    """A running stack and a key to it."""

    url: str
    key: str

    def client(self, key: str | None = None) -> AsyncOpenAI:
        return client_of(self.url, key or self.key)

    @asynccontextmanager
    async def calling(
        self, dialect: Dialect, *, key: str | None = None, model: str = "gpt-realtime", **query: str
    ) -> AsyncIterator[Caller]:
        """A connection that has been told its session."""
        async with (
            self.client(key) as client,
            dialect.connect(client, model=model, extra_query=query) as connection,
        ):
            caller = Caller(dialect, connection)
            await caller.next()
            yield caller
