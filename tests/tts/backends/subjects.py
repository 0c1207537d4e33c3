"""The engines that are held to the contract.

To have one more tested, add an entry to one of the two tables below:

- of a vendor, to VENDORS: a server that behaves as its API does (a class with what `VendorServer` of rig.py
  asks for), the fields of its voices that differ from those of `_FIELDS`, and, for `make test-live`, the
  variable of the key and the fields of a voice of the real thing. All of test_contract.py, test_faults.py
  and test_bad_input.py then runs over it.
- of this machine, to LOCAL: a function that makes a Rig of it, which pytest calls before there is an event
  loop, so that it can ask for fixtures that load models. It gets the marks in `marks`.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from dialtone.fence import ModelProcess
from dialtone.tts.engines.base import Engine
from dialtone.tts.engines.entry import VendorVoice
from dialtone.tts.engines.espeak import EspeakEngine
from dialtone.tts.engines.kinds import VENDORS as ENGINES
from dialtone.tts.engines.kokoro.engine import KokoroEngine
from dialtone.tts.engines.kokoro.models import KokoroModels
from dialtone.tts.engines.piper import PiperEngine
from dialtone.tts.engines.piper_models import PiperModels
from dialtone.tts.engines.simulated import FIRST_AUDIO_S, SimulatedEngine
from tests.tts.backends.minimax_server import MiniMaxServer
from tests.tts.backends.rig import Rig, VendorServer, as_it_is
from tests.tts.backends.speech_server import MODEL, RATE, VOICE, Speech, SpeechServer

KEY_ENV = "SPEECH_KEY"
"""Variable with the key that the servers of the tests take."""
_FIELDS = {"model": MODEL, "voice": VOICE, "language": "*", "sample_rate": RATE, "api_key_env": KEY_ENV}


@dataclass(frozen=True)
class Vendor:
    server: Callable[[], VendorServer]
    fields: Mapping[str, Any] = field(default_factory=dict)
    live_key: str = ""
    live: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Local:
    make: Callable[[pytest.FixtureRequest], Rig]
    marks: Sequence[pytest.MarkDecorator] = ()


VENDORS: Mapping[str, Vendor] = {
    "openai": Vendor(
        SpeechServer, live_key="OPENAI_API_KEY", live={"model": "gpt-4o-mini-tts", "voice": "marin"}
    ),
    "minimax": Vendor(
        MiniMaxServer,
        live_key="MINIMAX_API_KEY",
        live={"model": "speech-2.8-turbo", "voice": "English_expressive_narrator"},
    ),
}


def vendor_rig(name: str, server: VendorServer, **fields: Any) -> Rig:
    """A voice of a vendor whose server is one of the tests."""
    entry = {"engine": name, "base_url": server.url, **_FIELDS, **VENDORS[name].fields, **fields}
    engine = ENGINES[name](VendorVoice.model_validate(entry))

    @asynccontextmanager
    async def silent() -> AsyncIterator[Engine]:
        server.speeches.append(Speech(silent=True))
        yield engine

    rig = Rig(name, engine, silent, lambda: not server.open, server, connections=10)
    rig.closing.append(engine.close)
    return rig


def live_rig(name: str) -> Rig:
    """A voice of the vendor itself."""
    vendor = VENDORS[name]
    entry = {"engine": name, "language": "*", "api_key_env": vendor.live_key, **vendor.live}
    engine = ENGINES[name](VendorVoice.model_validate(entry))
    rig = Rig(f"live {name}", engine, partial(as_it_is, engine), connections=10, deadline_s=0.01, paid=True)
    rig.closing.append(engine.close)
    return rig


def _simulated(_request: pytest.FixtureRequest) -> Rig:
    engine = SimulatedEngine()
    return Rig("simulated", engine, partial(as_it_is, engine), deadline_s=FIRST_AUDIO_S / 4)


def _espeak(request: pytest.FixtureRequest) -> Rig:
    folder: Path = request.getfixturevalue("tmp_path")
    hanging = folder / "hanging"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)

    @asynccontextmanager
    async def silent() -> AsyncIterator[Engine]:
        yield EspeakEngine(str(hanging), "en")

    def idle() -> bool:
        programs = {"espeak-ng", "hanging", "sleep"}
        return not any(_name(child) in programs for child in psutil.Process().children())

    return Rig("espeak-ng", EspeakEngine("espeak-ng", "en"), silent, idle)


def _piper(request: pytest.FixtureRequest) -> Rig:
    process: ModelProcess[PiperModels] = request.getfixturevalue("piper_process")
    engine = PiperEngine("joe", request.getfixturevalue("model_file"), process)

    @asynccontextmanager
    async def silent() -> AsyncIterator[Engine]:
        child = psutil.Process(process.pid)
        child.suspend()
        try:
            yield engine
        finally:
            child.resume()

    return Rig("piper", engine, silent, language="en")


def _kokoro(request: pytest.FixtureRequest) -> Rig:
    process: ModelProcess[KokoroModels] = request.getfixturevalue("kokoro_voices")

    @asynccontextmanager
    async def silent() -> AsyncIterator[Engine]:
        child = psutil.Process(process.pid)
        child.suspend()
        try:
            yield KokoroEngine("heart", process)
        finally:
            child.resume()

    # A phrase of it without a comma is computed for some seconds, and one that is left may be in it.
    return Rig("kokoro", KokoroEngine("heart", process), silent, language="en", piece_s=9.0, next_s=20.0)


LOCAL: Mapping[str, Local] = {
    "simulated": Local(_simulated),
    "espeak-ng": Local(
        _espeak,
        [pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")],
    ),
    "piper": Local(_piper, [pytest.mark.models]),
    "kokoro": Local(_kokoro, [pytest.mark.voices]),
}


def _name(process: psutil.Process) -> str:
    try:
        name: str = process.name()
        return name
    except psutil.NoSuchProcess:  # it has just ended
        return ""
