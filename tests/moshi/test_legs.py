"""Legs on a real broker, served by the real engine: what a call is told there is what it is told alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from dialtone.audio import pcm16_to_float
from dialtone.bus import Bus, Stage
from dialtone.llm.moshi.engine_settings import MoshiEngineSettings
from dialtone.llm.moshi.torch_engine import TorchEngine
from dialtone.settings import BusSettings
from tests.llm.moshi.moshi_call import MoshiCall, moshi_worker
from tests.moshi.calls import alone, loaded, voice

_FRAMES = 40


@pytest.fixture
async def engine(nano: Path) -> AsyncIterator[TorchEngine]:
    settings = MoshiEngineSettings(
        moshi_sft_path=nano, moshi_slots=3, moshi_temperature=0.0, moshi_text_temperature=0.0
    )
    started = TorchEngine(settings)
    await started.start()
    yield started
    await started.close()


async def test_calls_of_one_worker_are_each_told_what_they_are_told_alone(
    nano: Path, engine: TorchEngine, bus: Bus, bus_settings: BusSettings
) -> None:
    await bus.ensure_stage(Stage.MOSHI, "sft")
    calls = [MoshiCall(bus, f"call-{number}") for number in range(3)]
    said = [(voice(number, _FRAMES) * 32767).astype(np.int16) for number in range(3)]

    async def speak(call: MoshiCall, samples: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> None:
        await call.side.open()
        await call.start()
        await call.say(samples.reshape(-1), frame=1500)  # which divides no frame of Moshi's
        await call.put(end={})
        await call.has("leg_done")
        await call.side.close()

    async with moshi_worker(bus_settings, engine):
        await asyncio.gather(*(speak(call, samples) for call, samples in zip(calls, said, strict=True)))
    model = loaded(nano, rows=1)
    for call, samples in zip(calls, said, strict=True):
        expected = alone(model, np.stack([pcm16_to_float(frame) for frame in samples]))
        words = [model_text for model_text in expected.text if model_text not in (0, 3)]
        told = sum(event.saying_stopped.text_tokens for event in call.side.of("saying_stopped"))
        assert told == len(words)
        # It never stops talking, as the random model it is: all of its sound is one utterance.
        sound = np.frombuffer(call.audio(1), dtype="<i2").astype(np.float32) / 32768
        assert np.abs(sound - expected.sound().reshape(-1)[-len(sound) :]).max() < 2 / 32768
        assert len(sound) >= (_FRAMES - 4) * 1920
    assert engine.free == 3
