"""One engine under test, and what it may not keep when nobody listens any more."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from dialtone.audio import Float32
from dialtone.tts.engines.base import Engine, Style
from dialtone.tts.settings import TtsSettings
from dialtone.tts.speaker import Speaker
from dialtone.tts.voices import EVERY_LANGUAGE, Voice, VoiceRegistry
from tests.tts.backends.speech_server import Speech


class VendorServer(Protocol):
    """A server of the tests that behaves as a vendor's; it listens on 127.0.0.1 from `start` to `stop`."""

    speeches: deque[Speech]
    """For the next requests; after that each is answered with `Speech()`."""
    bodies: list[dict[str, Any]]
    open: int
    """Requests being answered now."""

    @property
    def url(self) -> str:
        """The base URL."""
        ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def reset(self) -> None: ...


@dataclass
class Rig:
    """What the contract needs to know of an engine.

    `silent` yields, for as long as it is open, an engine whose next sentence gives nothing within
    `deadline_s`; `idle` tells whether nothing is being done for a sentence any more.
    """

    name: str
    engine: Engine
    silent: Callable[[], AbstractAsyncContextManager[Engine]]
    idle: Callable[[], bool] = lambda: True
    server: Any = None
    """The VendorServer; None of an engine of this machine, and where the real vendor is asked."""
    language: str = EVERY_LANGUAGE
    deadline_s: float = 0.3
    connections: int = 0
    """That it may keep for later."""
    paid: bool = False
    """Each sentence costs something."""
    piece_s: float = 0.6
    """Of audio that comes at once, at most: what cannot be computed but as a whole."""
    next_s: float = 5.0
    """A sentence is spoken within that when all the others were left."""
    closing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def say(self, text: str = "Hello there.", style: Style | None = None) -> Float32:
        """All of the audio, float32 [n]."""
        return np.concatenate([np.zeros(0, dtype=np.float32), *await self.blocks(text, style)])

    async def blocks(self, text: str, style: Style | None = None) -> list[Float32]:
        async with aclosing(self.engine.speak(text, style or Style())) as blocks:
            return [block async for block in blocks]

    def stage(self, **settings: Any) -> Speaker:
        """A speech stage whose one voice, "one", is this engine's."""
        voice = Voice("one", self.language, self.engine, any_script=True)
        return Speaker(VoiceRegistry({"one": voice}, {}), TtsSettings.model_validate(settings))

    async def until_idle(self, within_s: float = 5.0) -> None:
        await until(self.idle, within_s)

    async def close(self) -> None:
        for close in self.closing:
            await close()


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for what another thread or process brings about."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - other threads and processes have no event for that
            await asyncio.sleep(0.005)


@asynccontextmanager
async def as_it_is(engine: Engine) -> AsyncIterator[Engine]:
    """The engine itself: it is slower than the deadline."""
    yield engine
