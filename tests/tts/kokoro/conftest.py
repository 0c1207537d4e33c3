"""Kokoro's engine over a model that stands in for the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialtone.fence import ModelProcess
from dialtone.tts.engines.kokoro.engine import kokoro_process
from dialtone.tts.engines.kokoro.entry import KokoroVoice, read_files
from dialtone.tts.engines.kokoro.models import KokoroModels
from tests.tts.kokoro.stand_in import write_model, write_voices


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of voices."""
    return write_voices(tmp_path_factory.mktemp("kokoro") / "voices", "af_heart", "zf_xiaoxiao")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that computes for as long as it takes to cancel it."""
    return write_model(tmp_path_factory.mktemp("kokoro") / "stand-in.onnx", work=3)


@pytest.fixture(scope="session")
def stand_in(voices: Path, model: Path) -> Iterator[ModelProcess[KokoroModels]]:
    """The process of an English and a Chinese voice."""
    spoken = {"heart": ("af_heart", "en"), "mei": ("zf_xiaoxiao", "zh")}
    files = {
        name: read_files(
            name,
            KokoroVoice(
                engine="kokoro", model=str(model), voices=str(voices), voice=voice, language=language
            ),
            None,
        )
        for name, (voice, language) in spoken.items()
    }
    process = kokoro_process(files)
    asyncio.run(process.start())
    yield process
    asyncio.run(process.close())
