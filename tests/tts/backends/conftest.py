"""Vendors' engines, with servers that behave as theirs; in the lane `live` the vendors themselves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from dialtone.audio import Float32
from dialtone.tts.engines.base import Style
from dialtone.tts.engines.entry import VendorVoice
from dialtone.tts.engines.openai import OpenAiEngine
from tests.tts.backends.speech_server import API_KEY, MODEL, RATE, VOICE, SpeechServer

VENDORS = ["openai"]
_LIVE = {"openai": ("OPENAI_API_KEY", {"model": "gpt-4o-mini-tts", "voice": "marin"})}


@dataclass
class Rig:
    """One engine under test; `server` is None where the real thing is asked."""

    engine: OpenAiEngine
    server: Any = None

    async def say(self, text: str = "Hello there.", style: Style | None = None) -> Float32:
        """All of the audio, float32 [n]."""
        async with aclosing(self.engine.speak(text, style or Style())) as blocks:
            return np.concatenate([np.zeros(0, dtype=np.float32), *[block async for block in blocks]])

    async def until_idle(self, within_s: float = 5.0) -> None:
        """Wait until the server answers nobody."""
        async with asyncio.timeout(within_s):
            while self.server is not None and self.server.open:  # noqa: ASYNC110 - it is another thread's
                await asyncio.sleep(0.005)


MakeRig = Callable[..., Awaitable[Rig]]


@pytest.fixture(scope="session")
def speech_servers() -> Iterator[dict[str, SpeechServer]]:
    servers = {"openai": SpeechServer()}
    for server in servers.values():
        server.start()
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture
async def make_rig(
    speech_servers: dict[str, SpeechServer], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MakeRig]:
    """What makes an engine that asks a server of the tests, with fields of its entry."""
    monkeypatch.setenv("SPEECH_KEY", API_KEY)
    made: list[Rig] = []

    async def make(name: str, **fields: Any) -> Rig:
        server = speech_servers[name]
        if made:
            await made[-1].until_idle()
        server.reset()
        entry = {
            "engine": name, "model": MODEL, "voice": VOICE, "language": "*", "sample_rate": RATE,
            "base_url": server.url, "api_key_env": "SPEECH_KEY", **fields,
        }  # fmt: skip
        made.append(Rig(OpenAiEngine(VendorVoice.model_validate(entry)), server))
        return made[-1]

    yield make
    for rig in made:
        await rig.engine.close()


@pytest.fixture(params=[*VENDORS, *(pytest.param(f"live {name}", marks=pytest.mark.live) for name in _LIVE)])
async def rig(request: pytest.FixtureRequest, make_rig: MakeRig) -> AsyncIterator[Rig]:
    """Every engine of a vendor."""
    kind, _, vendor = request.param.rpartition(" ")
    if kind != "live":
        yield await make_rig(vendor)
        return
    key, fields = _LIVE[vendor]
    if not os.environ.get(key):
        pytest.skip(f"no {key}")
    entry = {"engine": vendor, "language": "*", "api_key_env": key, **fields}
    live = Rig(OpenAiEngine(VendorVoice.model_validate(entry)))
    yield live
    await live.engine.close()


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    """Each vendor whose server the tests have."""
    name: str = request.param
    return name
