"""Conversion between any two rates, by soxr, with a small, constant delay.

soxr's own stream hands out its output in blocks, up to 40 ms late for 24 kHz speech and 115 ms for
8 kHz: too late for barge-in and endpointing. Here soxr converts overlapping windows instead: each
chunk with a few milliseconds of history before it and of lookahead after it, and only the part is
kept that the window's edges do not reach. The result equals the conversion of the whole stream to
better than -85 dB, and the delay is the lookahead: 4 ms, or 8 ms where either rate is 8 kHz.
"""

from __future__ import annotations

from math import gcd

import numpy as np
import soxr

from dialtone.audio.pcm import Float32

_CONTEXT_PERIODS = 64  # on either side, in samples of the lower rate: the reach of soxr's HQ filter
_QUALITY = "HQ"


class SoxrResampler:
    """A StreamResampler from `source_rate` to `target_rate` (Hz), which differ."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._source_rate = source_rate
        self._target_rate = target_rate
        common = gcd(source_rate, target_rate)
        # The grids of both rates meet every `_in_step` input (`_out_step` output) samples: windows
        # start there only, so that all of them compute samples of one output grid.
        self._in_step = source_rate // common
        self._out_step = target_rate // common
        self._context = -(-_CONTEXT_PERIODS * source_rate // min(source_rate, target_rate))
        self._window: Float32 = np.zeros(0, dtype=np.float32)
        self._window_start = 0  # input samples before the window, a multiple of _in_step
        self._emitted = 0  # output samples so far

    @property
    def delay_us(self) -> int:
        return self._context * 1_000_000 // self._source_rate

    def feed(self, samples: Float32) -> Float32:
        self._window = np.concatenate((self._window, samples))
        received = self._window_start + len(self._window)
        certain = max(received - self._context, 0) * self._target_rate // self._source_rate
        return self._emit(certain)

    def flush(self) -> Float32:
        received = self._window_start + len(self._window)
        total = round(received * self._target_rate / self._source_rate)
        rest = self._emit(total)
        self._window = np.zeros(0, dtype=np.float32)
        self._window_start = self._emitted = 0
        return rest

    def _emit(self, until: int) -> Float32:
        if until <= self._emitted:
            return np.zeros(0, dtype=np.float32)
        converted = soxr.resample(self._window, self._source_rate, self._target_rate, quality=_QUALITY)
        origin = self._window_start // self._in_step * self._out_step
        kept: Float32 = converted[self._emitted - origin : until - origin]
        self._emitted = until
        self._forget()
        return kept

    def _forget(self) -> None:
        next_input = self._emitted * self._in_step // self._out_step
        start = max(next_input - self._context, 0) // self._in_step * self._in_step
        self._window = self._window[start - self._window_start :]
        self._window_start = start
