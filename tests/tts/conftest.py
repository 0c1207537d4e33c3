"""Speakers: one with the simulated engine, one with the default voices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dialtone.bus import Handler
from dialtone.fence import ModelProcess
from dialtone.models import ModelMissing, locate
from dialtone.tts.engines.kokoro.engine import kokoro_process
from dialtone.tts.engines.kokoro.entry import BadVoice, KokoroVoice, read_files
from dialtone.tts.engines.kokoro.models import KokoroModels
from dialtone.tts.engines.piper_models import PiperModels
from dialtone.tts.loading import load
from dialtone.tts.settings import TtsSettings
from dialtone.worker import Loaded

KOKORO = {
    "heart": ("af_heart", "en"), "emma": ("bf_emma", "en"), "dora": ("ef_dora", "es"),
    "siwis": ("ff_siwis", "fr"), "alpha": ("hf_alpha", "hi"), "sara": ("if_sara", "it"),
    "alex": ("pm_alex", "pt"), "mei": ("zf_xiaoxiao", "zh"),
}  # fmt: skip


@pytest.fixture
async def simulated() -> AsyncIterator[Handler]:
    """The handler of a simulated stage."""
    loaded = await load(TtsSettings(stages="simulated"))
    yield loaded.handler
    await loaded.close()


@pytest.fixture(scope="session")
def real_stage() -> Iterator[Loaded]:
    """A real stage with its default voice, loaded once for the whole run."""
    try:
        loaded = asyncio.run(load(TtsSettings()))
    except ModelMissing as error:
        pytest.skip(str(error))
    yield loaded

    async def close() -> None:
        await loaded.close()

    asyncio.run(close())


@pytest.fixture
def real(real_stage: Loaded) -> Handler:
    """The handler of a real stage."""
    return real_stage.handler


@pytest.fixture(scope="session")
def piper_process(real_stage: Loaded) -> ModelProcess[PiperModels]:
    """The process that has the default voice."""
    [model] = real_stage.models
    assert isinstance(model, ModelProcess)
    return model


@pytest.fixture(scope="session")
def model_file(real_stage: Loaded) -> Path:
    """The default voice's model, seen to be there."""
    del real_stage
    return next(locate("piper-en-joe").glob("*.onnx"))


@pytest.fixture(scope="session")
def kokoro_voices() -> Iterator[ModelProcess[KokoroModels]]:
    """The process of Kokoro's real model with a voice of each language: those of KOKORO by name."""
    try:
        files = {
            name: read_files(name, KokoroVoice(engine="kokoro", voice=voice, language=language), None)
            for name, (voice, language) in KOKORO.items()
        }
    except BadVoice as error:
        pytest.skip(str(error))
    process = kokoro_process(files, threads=2)
    asyncio.run(process.start())
    yield process
    asyncio.run(process.close())
