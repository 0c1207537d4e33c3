"""Backends to hold to the contract: those of vendors with servers that behave as theirs, the local model, and
in the lane `live` the vendors themselves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from dialtone.vad_asr.asr.backend import AsrBackend, Listener, Question
from dialtone.vad_asr.asr.backends.whisper import WhisperBackend
from dialtone.vad_asr.asr.entry import AsrEntry
from dialtone.vad_asr.asr.kinds import VENDORS
from dialtone.vad_asr.asr.pool import InferencePool, Urgency
from dialtone.vad_asr.asr.recognition import Passage, Recognition
from dialtone.vad_asr.asr.whisper import ShortWindowWhisper
from dialtone.vad_asr.settings import EarsSettings
from tests.fixtures.speech import recording, voice_like
from tests.vad_asr.backends.deepgram_server import DeepgramServer
from tests.vad_asr.backends.http_server import GeminiServer, HttpServer, OpenAiServer
from tests.vad_asr.backends.scenes import API_KEY, MODEL, VendorServer

SPOKEN = "en_weather_question"
KEYS = {"openai": "ASR_OPENAI_API_KEY", "deepgram": "DEEPGRAM_API_KEY", "gemini": "GEMINI_API_KEY"}


def passage(seconds: float = 1.0, **fields: Any) -> Passage:
    """Something like a voice."""
    samples = voice_like(seconds)
    return Passage(samples, voiced_us=round(seconds * 1e6), **fields)


@dataclass
class Rig:
    """One backend under test."""

    name: str
    backend: AsrBackend
    model: str
    passage: Passage
    expected: str
    """What is said in it; of a model, a word that it cannot miss."""
    server: Any = None
    """The VendorServer; None where the real thing is asked."""
    idle: Callable[[], bool] = lambda: True
    listeners: list[Listener] = field(default_factory=list)

    def listen(self) -> Listener:
        self.listeners.append(self.backend.listen())
        return self.listeners[-1]

    def question(self, asked: Passage | None = None, urgency: Urgency = Urgency.FINAL) -> Question:
        return Question(asked if asked is not None else self.passage, urgency, self.model)

    async def hear(self, asked: Passage | None = None, urgency: Urgency = Urgency.FINAL) -> list[Recognition]:
        """All that an ear of its own says."""
        return [heard async for heard in self.listen().hear(self.question(asked, urgency))]

    async def until_idle(self, within_s: float = 5.0) -> None:
        await until(self.idle, within_s)

    async def close(self) -> None:
        await asyncio.gather(*(listener.close() for listener in self.listeners))
        await self.backend.close()


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for what another thread or task brings about."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - servers of other threads have no event for that
            await asyncio.sleep(0.005)


MakeRig = Callable[..., Awaitable[Rig]]


@pytest.fixture(scope="session")
def http_servers() -> Iterator[dict[str, HttpServer]]:
    servers: dict[str, HttpServer] = {"openai": OpenAiServer(), "gemini": GeminiServer()}
    for server in servers.values():
        server.start()
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture
async def deepgram_server() -> AsyncIterator[DeepgramServer]:
    server = DeepgramServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def make_rig(
    http_servers: dict[str, HttpServer], deepgram_server: DeepgramServer
) -> AsyncIterator[MakeRig]:
    """What makes a vendor's backend that asks a server of the tests, with fields of its entry."""
    made: list[Rig] = []

    async def make(name: str, **fields: Any) -> Rig:
        server: VendorServer = deepgram_server if name == "deepgram" else http_servers[name]
        if isinstance(server, HttpServer):
            await until(lambda: not server.open)
            server.reset()
        entry = AsrEntry.model_validate(
            {"backend": name, "base_url": server.url, "api_key": API_KEY, "model": MODEL, **fields}
        )
        rig = Rig(name, VENDORS[name](entry), MODEL, passage(), "Hello there.", server)
        rig.idle = lambda: not server.open
        made.append(rig)
        return rig

    yield make
    for rig in made:
        await rig.close()


@pytest.fixture(
    params=[
        "openai",
        "deepgram",
        "gemini",
        pytest.param("whisper", marks=pytest.mark.models),
        *(pytest.param(f"live {name}", marks=pytest.mark.live) for name in KEYS),
    ]
)
async def rig(request: pytest.FixtureRequest, make_rig: MakeRig) -> AsyncIterator[Rig]:
    """Every backend."""
    kind, _, vendor = request.param.rpartition(" ")
    if kind == "live":
        made = _live(vendor)
        yield made
        await made.close()
    elif vendor == "whisper":
        model = request.getfixturevalue("whisper")
        pool = _whisper_pool(model)
        pool.start()
        made = Rig("whisper", WhisperBackend(pool, model.languages), "", _spoken(), "weather")
        made.idle = lambda: pool.idle
        yield made
        await made.close()
        await pool.close()
    else:
        yield await make_rig(vendor)


@pytest.fixture(params=["openai", "deepgram", "gemini"])
def vendor(request: pytest.FixtureRequest) -> str:
    """Each vendor whose server the tests have."""
    name: str = request.param
    return name


def _spoken() -> Passage:
    samples = recording(SPOKEN).samples()
    return Passage(samples, voiced_us=round(len(samples) / 16_000 * 1e6))


def _whisper_pool(model: ShortWindowWhisper) -> InferencePool:
    async def recognize(passages: Sequence[Passage]) -> list[Recognition]:
        return await asyncio.to_thread(model.recognize, passages)

    return InferencePool(recognize, workers=1, queue_limit=32)


def _live(name: str) -> Rig:
    if not os.environ.get(KEYS[name]):
        pytest.skip(f"no {KEYS[name]}")
    entry = AsrEntry.model_validate({"backend": name, "api_key_env": KEYS[name]})
    model = getattr(EarsSettings(), f"asr_{name}_model" if name == "openai" else f"{name}_model")
    return Rig(f"live {name}", VENDORS[name](entry), model, _spoken(), "weather")


def nothing() -> Passage:
    return Passage(np.zeros(0, dtype=np.int16))


def hour() -> Passage:
    return Passage(np.zeros(3600 * 16_000, dtype=np.int16), voiced_us=1)
