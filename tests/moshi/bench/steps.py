"""The times of a step and of its parts, for one number of rows."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from dialtone.llm.moshi.batched_model import BatchedModel, Sampling, is_out_of_memory
from dialtone.llm.moshi.engine import FRAME
from tests.bench.figures import percentiles
from tests.moshi.bench.models import Models, state_bytes, weight_bytes

PARTS = ("encode", "temporal", "depformer", "decode")
"""Mimi's encoder; the temporal and the depth transformer of the language model, each with the drawing of its
tokens; Mimi's decoder. The rest of a step is copies to and from the device."""


class _Stopwatch:
    """Marks in the order of the device's work: on a GPU they are events of its stream."""

    def __init__(self, device: torch.device) -> None:
        self._gpu = device.type == "cuda"
        self._marks: list[tuple[str, Any]] = []

    def mark(self, part: str) -> None:
        if self._gpu:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append((part, event))
        else:
            self._marks.append((part, time.perf_counter() * 1000))

    def parts_ms(self) -> dict[str, float]:
        """Milliseconds of each part since the mark before it; begins anew."""
        if self._gpu:
            torch.cuda.synchronize()
        between = zip(self._marks, self._marks[1:], strict=False)
        took = {
            part: before.elapsed_time(at) if self._gpu else at - before for (_, before), (part, at) in between
        }
        self._marks.clear()
        return took


class OutOfMemory(Exception):
    """So many rows have no room."""


def measure(models: Models, rows: int, steps: int, progress: Callable[[int], None]) -> dict[str, Any]:
    """Take `steps` steps with every row active. A cache is held and read in full from the first step on, so
    that it need not be filled before. Raises OutOfMemory."""
    device = models.lm.device
    before = _allocated(device)
    try:
        model = BatchedModel(models.mimi, models.lm, rows, Sampling(seed=1))
        model.warm_up()
        figures = _timed(model, models, steps, before, progress)
        model.close()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        models.stop_streaming()
        raise OutOfMemory from None  # without the frames that hold on to what was allocated
    finally:
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return {"rows": rows, **figures}


def _timed(
    model: BatchedModel, models: Models, steps: int, before: int, progress: Callable[[int], None]
) -> dict[str, Any]:
    watch = _Stopwatch(model.device)
    sound = np.random.default_rng(1).uniform(-0.1, 0.1, (model.rows, FRAME)).astype(np.float32)
    everybody, nobody = np.ones(model.rows, dtype=np.bool_), np.zeros(model.rows, dtype=np.bool_)
    model.step(sound, everybody, everybody)
    _mark_the_temporal_transformer(model, watch)
    names = {"lm": "depformer"}
    model.mark = lambda part: watch.mark(names.get(part, part))
    totals: list[float] = []
    parts: dict[str, list[float]] = {part: [] for part in PARTS}
    for number in range(steps):
        watch.mark("begin")
        began = time.perf_counter()
        model.step(sound, everybody, nobody)
        totals.append((time.perf_counter() - began) * 1000)
        for part, took_ms in watch.parts_ms().items():
            parts[part].append(took_ms)
        progress(number + 1)
    state = state_bytes(models)
    return {
        "steps": steps,
        "step_ms": percentiles(totals),
        "parts_ms": {part: percentiles(values) for part, values in parts.items()},
        "bytes_per_row": state // model.rows,
        "bytes_per_step": weight_bytes(models) + state,
        "allocated_per_row": (_allocated(model.device) - before) // model.rows,
        "peak_bytes": torch.cuda.max_memory_allocated() if model.device.type == "cuda" else None,
    }


def _mark_the_temporal_transformer(model: BatchedModel, watch: _Stopwatch) -> None:
    """The package takes both transformers in one call; the second is where the first ends."""
    state: Any = model.gen._streaming_state
    depth = state.graphed_depth

    def marked(*args: Any) -> Any:
        watch.mark("temporal")
        return depth(*args)

    state.graphed_depth = marked


def _allocated(device: torch.device) -> int:
    return torch.cuda.memory_allocated() if device.type == "cuda" else 0


def bandwidth(device: torch.device) -> float:
    """Bytes a second that the device's memory was seen to move, read and written, in a copy far larger than
    any cache; the best of some."""
    size = (4 << 30) if device.type == "cuda" else (1 << 28)
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(8):
        if device.type == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        target.copy_(source)
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return 2 * size / best
