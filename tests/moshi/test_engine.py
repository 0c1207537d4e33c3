"""What the engine promises to a leg: an answer a frame, in order; late calls frozen; failures told to all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from prometheus_client import Counter, Gauge

from dialtone.llm.moshi import metrics
from dialtone.llm.moshi.batched_model import BatchedModel, StepOutput
from dialtone.llm.moshi.engine import (
    FRAME,
    EngineFailed,
    NoFreeSlot,
    Said,
    SlotClosed,
    TooFarAhead,
)
from dialtone.llm.moshi.engine_settings import MoshiEngineSettings
from dialtone.llm.moshi.slots import EngineSlot
from dialtone.llm.moshi.torch_engine import TorchEngine
from dialtone.llm.moshi.torch_model import LoadedModel, load_model
from tests.moshi.calls import Frames, alone, loaded, voice

_PATIENCE_S = 90.0


@asynccontextmanager
async def started(
    folder: Path,
    slots: int = 3,
    load: Callable[[MoshiEngineSettings], LoadedModel] = load_model,
    **settings: Any,
) -> AsyncIterator[TorchEngine]:
    """An engine that takes the likeliest tokens, closed in the end."""
    greedy: dict[str, Any] = {"moshi_temperature": 0.0, "moshi_text_temperature": 0.0}
    asked = MoshiEngineSettings(moshi_sft_path=folder, moshi_slots=slots, **greedy, **settings)
    engine = TorchEngine(asked, load)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


async def said(slot: EngineSlot, number: int) -> list[Said]:
    """What the next steps of the slot say."""
    async with asyncio.timeout(_PATIENCE_S):
        return [await slot.next() for _ in range(number)]


async def talk(slot: EngineSlot, audio: Frames) -> list[Said]:
    """Feed all of it, and return what was said to it."""
    for frame in audio:
        slot.feed(frame)
    return await said(slot, len(audio))


def same(told: list[Said], folder: Path, audio: Frames) -> bool:
    """Whether it is what the call is told alone."""
    expected = alone(loaded(folder, rows=1), audio)
    assert told[0] == Said(None, "", None), "a slot's first step has no output"
    tokens = [one.text_token for one in told[1:]]
    sound = np.concatenate([one.pcm for one in told[1:] if one.pcm is not None])
    return tokens == [text if text not in (0, 3) else None for text in expected.text] and bool(
        np.abs(sound - expected.sound()).max() < 1e-5
    )


async def test_calls_that_join_leave_and_stall_are_told_what_they_are_told_alone(nano: Path) -> None:
    rng = np.random.default_rng(1)
    pauses = rng.exponential(0.01, (8, 40))
    told: dict[int, list[Said]] = {}

    async def call(number: int) -> None:
        await asyncio.sleep(pauses[number, 0] * 10)
        while True:
            try:
                slot = engine.open()
                break
            except NoFreeSlot:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(_PATIENCE_S):
            for frame, pause in zip(voice(number, 40), pauses[number], strict=True):
                slot.feed(frame)
                await asyncio.sleep(pause)
            told[number] = await said(slot, 40)
        slot.close()

    async with started(nano) as engine:
        await asyncio.gather(*(call(number) for number in range(8)))
        assert engine.free == 3
    for number, answers in told.items():
        assert same(answers, nano, voice(number, 40)), f"call {number}"


async def test_a_late_call_is_frozen_and_holds_up_nobody(nano: Path) -> None:
    audio = voice(1, 30)
    async with started(nano) as engine:
        late, other = engine.open(), engine.open()
        begun = await talk(late, audio[:10])
        assert len(await talk(other, voice(2, 40))) == 40
        assert same(begun + await talk(late, audio[10:]), nano, audio)


async def test_what_waits_is_caught_up_with_faster_than_it_was_said(nano: Path) -> None:
    async with started(nano) as engine:
        slot = engine.open()
        await talk(slot, voice(1, 5))
        quickest = float("inf")
        for _ in range(3):  # the processors may be busy with others
            began = time.monotonic()
            await talk(slot, voice(2, 60))
            quickest = min(quickest, time.monotonic() - began)
        assert quickest < 60 * 0.08


async def test_a_slot_takes_no_more_than_it_keeps(nano: Path) -> None:
    audio = voice(1, 12)
    async with started(nano, moshi_ahead=8) as engine:
        slot = engine.open()
        for frame in audio[:8]:
            slot.feed(frame)
        with pytest.raises(TooFarAhead):
            slot.feed(audio[8])
        told = await said(slot, 4)  # heard and fetched; what is only heard counts too
        for frame in audio[8:]:
            slot.feed(frame)
        with pytest.raises(TooFarAhead):
            slot.feed(audio[0])
        assert same(told + await said(slot, 8), nano, audio)


async def test_slots_are_as_many_as_configured_and_come_back(nano: Path) -> None:
    async with started(nano, slots=2) as engine:
        first, second = engine.open(), engine.open()
        assert (engine.slots, engine.free) == (2, 0)
        with pytest.raises(NoFreeSlot):
            engine.open()
        await talk(first, voice(1, 3))
        first.feed(voice(1, 1)[0])
        first.close()
        first.close()
        assert engine.free == 1
        with pytest.raises(SlotClosed):
            await first.next()
        with pytest.raises(SlotClosed):
            first.feed(voice(1, 1)[0])
        assert same(await talk(engine.open(), voice(2, 20)), nano, voice(2, 20))
        assert same(await talk(second, voice(3, 20)), nano, voice(3, 20))


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros(FRAME - 1, dtype=np.float32),
        np.zeros((1, FRAME), dtype=np.float32),
        np.zeros(FRAME, dtype=np.int16),
        np.full(FRAME, np.nan, dtype=np.float32),
        np.full(FRAME, np.inf, dtype=np.float32),
    ],
    ids=["short", "of two dimensions", "of integers", "not a number", "infinite"],
)
async def test_what_is_no_frame_is_refused_and_the_call_goes_on(nano: Path, frame: Any) -> None:
    audio = voice(1, 4)
    async with started(nano) as engine:
        slot = engine.open()
        told = await talk(slot, audio[:2])
        with pytest.raises(ValueError, match="a frame"):
            slot.feed(frame)
        assert same(told + await talk(slot, audio[2:]), nano, audio)


def failing(what: Callable[[BatchedModel, int], None]) -> Callable[[MoshiEngineSettings], LoadedModel]:
    """A way to load a model for which something happens in each of its steps."""

    def load(settings: MoshiEngineSettings) -> LoadedModel:
        model = load_model(settings)
        real, steps = model.model.step, iter(range(1_000_000))

        def step(*args: Any) -> StepOutput:
            what(model.model, next(steps))
            return real(*args)

        vars(model.model)["step"] = step
        return model

    return load


async def test_a_step_that_fails_is_told_to_every_call_and_to_the_worker(nano: Path) -> None:
    def out_of_memory(_model: BatchedModel, step: int) -> None:
        if step == 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    async with started(nano, load=failing(out_of_memory)) as engine:
        one, idle = engine.open(), engine.open()
        for frame in voice(1, 9):
            one.feed(frame)
        assert len(await said(one, 5)) == 5, "what was said before is given first"
        for slot in (one, idle):
            with pytest.raises(EngineFailed, match="out of memory"):
                await said(slot, 1)
        assert "out of memory" in str(await asyncio.wait_for(engine.failed(), _PATIENCE_S))
        assert engine.free == 0
        with pytest.raises(EngineFailed):
            engine.open()
        with pytest.raises(EngineFailed):
            one.feed(voice(1, 1)[0])


async def test_a_worker_whose_gpu_is_lost_ends_without_waiting_for_it(
    nano: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error of CUDA every further call of it fails, the one that gives its memory back too."""

    def lost(*_: object) -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    async with started(nano, load=failing(lost), moshi_step_limit_s=120.0) as engine:
        monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.cuda, "empty_cache", lost)
        slot = engine.open()
        slot.feed(voice(1, 1)[0])
        with pytest.raises(EngineFailed, match="device-side assert"):
            await said(slot, 1)
        await asyncio.wait_for(engine.close(), _PATIENCE_S)


async def test_a_step_that_does_not_end_is_told_as_well_and_the_worker_can_end(nano: Path) -> None:
    let_go = threading.Event()

    def hang(_model: BatchedModel, step: int) -> None:
        if step == 3:
            let_go.wait(60)

    try:
        async with started(nano, load=failing(hang), moshi_step_limit_s=2.0) as engine:
            slot = engine.open()
            for frame in voice(1, 6):
                slot.feed(frame)
            assert len(await said(slot, 3)) == 3
            with pytest.raises(EngineFailed, match="has not ended"):
                await said(slot, 1)
            assert isinstance(await asyncio.wait_for(engine.failed(), _PATIENCE_S), EngineFailed)
    finally:
        let_go.set()


async def test_a_call_that_comes_to_no_number_fails_alone_and_its_slot_is_sound_for_the_next(
    nano: Path,
) -> None:
    rows: list[int] = []

    def poison(model: BatchedModel, _step: int) -> None:
        for cache in model._caches:
            for row in rows:
                cache[:, row] = float("nan")
        rows.clear()

    audio = voice(2, 30)
    async with started(nano, slots=2, load=failing(poison)) as engine:
        well, ill = engine.open(), engine.open()
        told = await talk(well, audio[:10])
        await talk(ill, voice(1, 5))
        rows.append(ill.row)
        with pytest.raises(EngineFailed, match="no number"):
            await talk(ill, voice(1, 5))
        ill.close()
        assert same(told + await talk(well, audio[10:]), nano, audio)
        assert same(await talk(engine.open(), audio), nano, audio)


async def test_the_event_loop_does_not_wait_for_a_step(nano: Path) -> None:
    def slow(_model: BatchedModel, _step: int) -> None:
        time.sleep(0.3)

    async with started(nano, load=failing(slow)) as engine:
        slot = engine.open()
        began = time.monotonic()
        for frame in voice(1, 3):
            slot.feed(frame)
        turns = 0
        told = asyncio.create_task(said(slot, 3))
        while not told.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert time.monotonic() - began >= 0.9
        assert turns > 20


async def test_steps_that_overrun_and_calls_that_are_late_are_counted(nano: Path) -> None:
    def slow(_model: BatchedModel, _step: int) -> None:
        time.sleep(0.1)

    counted = (metrics.OVERRUNS, metrics.FRAMES, metrics.FROZEN)
    async with started(nano, load=failing(slow)) as engine:
        before = [_value(one) for one in counted]
        speaking = engine.open()
        engine.open()
        await talk(speaking, voice(1, 3))
        assert [_value(one) - was for one, was in zip(counted, before, strict=True)] == [3, 3, 3]
        assert _value(metrics.OPEN_SLOTS) == 2


def _value(metric: Counter | Gauge) -> float:
    (of_all,) = metric.collect()
    return float(of_all.samples[0].value)


async def test_closing_the_engine_ends_its_thread_and_tells_the_calls(nano: Path) -> None:
    before = set(threading.enumerate())
    async with started(nano) as engine:
        (steps,) = set(threading.enumerate()) - before
        slot = engine.open()
        waiting = asyncio.create_task(slot.next())
        await asyncio.sleep(0)
    with pytest.raises(SlotClosed):
        await asyncio.wait_for(waiting, _PATIENCE_S)
    steps.join(_PATIENCE_S)
    assert not steps.is_alive()


async def test_a_seed_gives_the_same_sampled_call_again(nano: Path) -> None:
    told = []
    for seed in (7, 7, 8):
        settings = MoshiEngineSettings(moshi_sft_path=nano, moshi_slots=1, moshi_seed=seed)
        engine = TorchEngine(settings)
        await engine.start()
        told.append([one.text_token for one in await talk(engine.open(), voice(1, 25))])
        await engine.close()
    assert told[0] == told[1] != told[2]
