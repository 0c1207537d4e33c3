"""Conversion between rates of whole kHz: a windowed sinc, one matrix for each millisecond of output.

In a millisecond lie whole numbers of input and of output samples, so each millisecond of output is the
same linear function of the input around it. That function is a matrix, computed once, and a frame is
one product with the matrix of its overlapping windows.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from dialtone.audio.pcm import Float32

_REACH_PERIODS = 48  # the filter reaches that far to either side, in samples of the lower rate
# A Kaiser window that takes 85 dB off whatever lies above half the lower rate. Its transition ends
# there: up to 0.44 of the lower rate the stream passes unchanged.
_ATTENUATION_DB = 85.0
_ROWS_AT_ONCE = 40  # milliseconds: a larger product is one that BLAS would start threads for


class PolyphaseResampler:
    """A StreamResampler from `source_rate` to `target_rate` (Hz): different multiples of 1000."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._source_rate = source_rate
        self._target_rate = target_rate
        self._step = source_rate // 1000
        self._matrix, self._reach = _filter(source_rate, target_rate)
        self._begin()

    def _begin(self) -> None:
        self._window: Float32 = np.zeros(self._reach, dtype=np.float32)
        self._received = 0
        self._emitted = 0

    @property
    def delay_us(self) -> int:
        return -(-self._reach // self._step) * 1000

    def feed(self, samples: Float32) -> Float32:
        self._received += len(samples)
        window = np.concatenate((self._window, samples), dtype=np.float32)
        width, outputs = self._matrix.shape
        rows = (len(window) - width) // self._step + 1
        if rows <= 0:
            self._window = window
            return np.zeros(0, dtype=np.float32)
        self._window = window[rows * self._step :]
        strides = (self._step * window.itemsize, window.itemsize)
        overlapping: Float32 = np.ndarray((rows, width), window.dtype, window, 0, strides)
        if rows <= _ROWS_AT_ONCE:
            converted = overlapping @ self._matrix
        else:
            parts = (overlapping[at : at + _ROWS_AT_ONCE] for at in range(0, rows, _ROWS_AT_ONCE))
            converted = np.concatenate([part @ self._matrix for part in parts])
        self._emitted += rows * outputs
        return converted.reshape(-1)

    def flush(self) -> Float32:
        left = round(self._received * self._target_rate / self._source_rate) - self._emitted
        rest = self.feed(np.zeros(self._reach + self._step, dtype=np.float32))[:left]
        self._begin()
        return rest


@cache
def _filter(source_rate: int, target_rate: int) -> tuple[Float32, int]:
    """float32 [window, outputs of a millisecond], and the input samples of the window before them."""
    step, outputs, lower = source_rate // 1000, target_rate // 1000, min(source_rate, target_rate)
    reach = -(-_REACH_PERIODS * source_rate // lower)
    inputs = np.arange(step + 2 * reach) - reach
    distance = np.arange(outputs)[np.newaxis] / target_rate - inputs[:, np.newaxis] / source_rate
    periods = distance * lower
    transition = (_ATTENUATION_DB - 7.95) / (14.36 * 2 * _REACH_PERIODS)  # Kaiser's estimate
    beta = 0.1102 * (_ATTENUATION_DB - 8.7)
    inside = np.maximum(1 - (periods / _REACH_PERIODS) ** 2, 0)
    taps = np.sinc(periods * (1 - transition)) * np.i0(beta * np.sqrt(inside)) * (inside > 0)
    return np.ascontiguousarray(taps / taps.sum(axis=0), dtype=np.float32), reach
