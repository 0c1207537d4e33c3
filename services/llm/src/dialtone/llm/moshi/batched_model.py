"""Mimi and the language model, all rows of a batch in one step.

The package keeps the state of every row apart, as long as its calls come in one order: a row is reset before
any mask is set, for a reset sets the row's mask; Mimi is reset once more after its first frame, which has an
edge of its own; and the decoder runs under a mask of its own, for a row has no output yet in its first step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from moshi.models import LMGen, LMModel, MimiModel
from numpy.typing import NDArray

from dialtone.llm.moshi.engine import FRAME

_WARMUP_STEPS = 4  # a CUDA graph is recorded in the second call, and the decoder's first is the second step


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn, of all rows alike. A temperature of 0 takes the likeliest."""

    temperature: float = 0.8
    text_temperature: float = 0.7
    top_k: int = 250
    text_top_k: int = 25
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What a step made, row by row; of rows that are not `ready` the values mean nothing."""

    ready: NDArray[np.bool_]
    """`[rows]`: whether the row was active and is past its first step."""
    text: NDArray[np.int64]
    """`[rows]`: text tokens, padding too."""
    codes: NDArray[np.int64]
    """`[rows, codebooks]` of Moshi's own audio."""
    pcm: NDArray[np.float32]
    """`[rows, FRAME]`"""


def _unmarked(_part: str) -> None:
    """Nobody measures."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it says so; outside of torch's own allocator for GPUs that is a RuntimeError like many."""
    said = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in said or "out of memory" in said


class BatchedModel:
    """The streaming state of `rows` calls. Used by one thread."""

    def __init__(self, mimi: MimiModel, lm: LMModel, rows: int, sampling: Sampling) -> None:
        self.rows = rows
        self.device = lm.device
        self.mark: Callable[[str], None] = _unmarked
        """Told of each part when it has been given to the device: "encode", "lm", "decode"."""
        self._mimi = mimi
        self._sampling = sampling
        self.gen = LMGen(
            lm,
            use_sampling=sampling.temperature > 0 or sampling.text_temperature > 0,
            temp=sampling.temperature,
            temp_text=sampling.text_temperature,
            top_k=sampling.top_k,
            top_k_text=sampling.text_top_k,
            # Else the reset of one row takes the output of all.
            support_out_of_sync=True,
        )
        with torch.no_grad():
            self._streaming = (mimi.streaming(rows), self.gen.streaming(rows))
        pinned = self.device.type == "cuda"
        self._heard = torch.zeros(rows, 1, FRAME, pin_memory=pinned)
        self._active = torch.zeros(rows, dtype=torch.bool, pin_memory=pinned)
        self._caches = [
            state.kv_cache.cache
            for part in (mimi, lm)
            for module in part.modules()
            if (state := getattr(module, "_streaming_state", None)) and getattr(state, "kv_cache", None)
        ]

    def warm_up(self) -> None:
        """Take the steps that are slower than others, then forget them."""
        everybody = np.ones(self.rows, dtype=np.bool_)
        nobody = np.zeros(self.rows, dtype=np.bool_)
        silence = np.zeros((self.rows, FRAME), dtype=np.float32)
        for number in range(_WARMUP_STEPS):
            self.step(silence, everybody, everybody if number == 0 else nobody)
        if self._sampling.seed is not None:
            torch.manual_seed(self._sampling.seed)

    def close(self) -> None:
        """Give back the state; the models can stream for another batch then."""
        self._caches.clear()
        for streaming in self._streaming:
            streaming.close()

    def step(
        self, pcm: NDArray[np.float32], active: NDArray[np.bool_], joining: NDArray[np.bool_]
    ) -> StepOutput:
        """Advance the `active` rows by their frame of `pcm`, `[rows, FRAME]`; the others stay as they are.

        `joining` rows, which are active, begin anew with this frame.
        """
        with torch.no_grad():
            return self._step(pcm, active, joining)

    def _step(
        self, pcm: NDArray[np.float32], active: NDArray[np.bool_], joining: NDArray[np.bool_]
    ) -> StepOutput:
        self._heard[:, 0] = torch.from_numpy(pcm)
        self._active[:] = torch.from_numpy(active)
        heard = self._heard.to(self.device, non_blocking=True)
        executing = self._active.to(self.device, non_blocking=True)
        reset = torch.from_numpy(joining).to(self.device) if joining.any() else None
        if reset is not None:
            self.gen.reset_streaming(reset)
            self._mimi.reset_streaming(reset)
            self._wipe(joining)

        self._mimi.set_exec_mask(executing)
        codes = self._mimi.encode(heard)
        if reset is not None:
            self._mimi.reset_streaming(reset)
        self.mark("encode")
        self.gen.set_exec_mask(executing)
        tokens = self.gen.step(codes)
        self.mark("lm")
        ready = executing & (tokens[:, 0, 0] >= 0)
        self._mimi.set_exec_mask(ready)
        # What a row has not said yet is -2, which would be read beyond the codebook.
        said = self._mimi.decode(tokens[:, 1:].clamp(min=0))
        self.mark("decode")
        on_host = tokens[:, :, 0].cpu().numpy()
        return StepOutput(
            ready=active & (on_host[:, 0] >= 0),
            text=on_host[:, 0],
            codes=on_host[:, 1:],
            pcm=said[:, 0].float().cpu().numpy(),
        )

    def _wipe(self, joining: NDArray[np.bool_]) -> None:
        """Zero the rows' caches. A reset only moves their end: what lies beyond it is multiplied by zero, and
        zero times what is no number is no number, for that call and all after it."""
        for row in np.flatnonzero(joining):
            for cache in self._caches:
                cache[:, row].zero_()
