"""A run on the clock: callers send a frame every 80 ms, each at its own time, join, leave and fall silent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dialtone.llm.moshi import metrics
from dialtone.llm.moshi.batched_model import BatchedModel, Sampling
from dialtone.llm.moshi.engine import FRAME, Slot, TooFarAhead
from dialtone.llm.moshi.engine_settings import MoshiEngineSettings
from dialtone.llm.moshi.torch_engine import TorchEngine
from dialtone.llm.moshi.torch_model import LoadedModel
from tests.bench.figures import percentiles
from tests.moshi.bench.models import Models

_FRAME_S = 0.08
_CALL_S = (4.0, 12.0)  # how long a caller stays
_STALLS = 0.02  # of the frames come late, by up to
_STALL_S = 0.4


class _AnyPiece:
    """The random model of the real size has no tokenizer; what it says is not looked at."""

    def id_to_piece(self, _token: int) -> str:
        return "▁a"

    def is_byte(self, _token: int) -> bool:
        return False

    def is_control(self, _token: int) -> bool:
        return False

    def is_unknown(self, _token: int) -> bool:
        return False


async def paced(
    models: Models, rows: int, seconds: float, progress: Callable[[float], None]
) -> dict[str, Any]:
    """Keep a caller in each of `rows` slots. Returns how long frames waited for their answers."""

    def load(settings: MoshiEngineSettings) -> LoadedModel:
        model = BatchedModel(models.mimi, models.lm, settings.moshi_slots, Sampling(seed=1))
        model.warm_up()
        loaded.append(model)
        padding = frozenset({models.lm.text_padding_token_id, models.lm.end_of_text_padding_id})
        return LoadedModel(model, _AnyPiece(), padding)

    loaded: list[BatchedModel] = []
    engine = TorchEngine(MoshiEngineSettings(moshi_slots=rows), load)
    await engine.start()
    try:
        return await _run(engine, rows, seconds, progress)
    finally:
        await engine.close()
        loaded.pop().close()


async def _run(
    engine: TorchEngine, rows: int, seconds: float, progress: Callable[[float], None]
) -> dict[str, Any]:
    answers_ms: list[float] = []
    counted = {"calls": 0, "stalls": 0, "given_up": 0}
    before = _overruns()
    began = time.monotonic()

    async def caller(number: int) -> None:
        rng = np.random.default_rng(number)
        sound = rng.uniform(-0.1, 0.1, FRAME).astype(np.float32)
        await asyncio.sleep(rng.uniform(0, _FRAME_S))
        while time.monotonic() - began < seconds:
            slot = engine.open()
            counted["calls"] += 1
            frames = int(rng.uniform(*_CALL_S) / _FRAME_S)
            late = rng.random(frames) < _STALLS
            counted["stalls"] += int(late.sum())
            try:
                await _call(slot, sound, late, rng.uniform(0, _STALL_S, frames), answers_ms, began + seconds)
            except TooFarAhead:
                counted["given_up"] += 1
            slot.close()

    callers = asyncio.gather(*(caller(number) for number in range(rows)))
    while not callers.done():
        progress(min(seconds, time.monotonic() - began))
        await asyncio.wait([callers], timeout=1)
    await callers
    return {
        "rows": rows,
        "seconds": seconds,
        **counted,
        "frames": len(answers_ms),
        "answer_ms": percentiles(answers_ms),
        "late_answers": sum(answer > 1000 * _FRAME_S for answer in answers_ms),
        "overruns": _overruns() - before,
    }


async def _call(
    slot: Slot,
    sound: NDArray[np.float32],
    late: NDArray[np.bool_],
    delays_s: NDArray[np.float64],
    answers_ms: list[float],
    until: float,
) -> None:
    """One caller, who notes how long after each frame its answer came. Raises TooFarAhead."""
    sent: asyncio.Queue[float | None] = asyncio.Queue()

    async def listen() -> None:
        while (at := await sent.get()) is not None:
            await slot.next()
            answers_ms.append((time.monotonic() - at) * 1000)

    listening = asyncio.create_task(listen())
    due = time.monotonic()
    try:
        for is_late, delay_s in zip(late, delays_s, strict=True):
            if due > until:
                break
            await asyncio.sleep(max(0.0, due + is_late * delay_s - time.monotonic()))
            slot.feed(sound)
            sent.put_nowait(time.monotonic())
            due += _FRAME_S
    finally:
        sent.put_nowait(None)
        await listening


def _overruns() -> float:
    (of_all,) = metrics.OVERRUNS.collect()
    return float(of_all.samples[0].value)
