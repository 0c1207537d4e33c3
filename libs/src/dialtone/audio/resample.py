"""Streaming sample rate conversion with a small, constant delay.

Rates of whole kHz, those of nearly all clients, are converted here: a matrix product a frame costs an
eighth of a call to soxr. soxr converts the rest.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from dialtone.audio.pcm import Float32
from dialtone.audio.polyphase import PolyphaseResampler
from dialtone.audio.soxr_windows import SoxrResampler


class StreamResampler(Protocol):
    """Converts one mono stream, of any scale.

    Output sample k stands at the time k / target_rate of the input, whatever the sizes of the chunks.
    """

    @property
    def delay_us(self) -> int:
        """How far the output stays behind an input that comes in whole milliseconds."""
        ...

    def feed(self, samples: Float32) -> Float32:
        """float32 [n] to the float32 [m] that is certain by now."""
        ...

    def flush(self) -> Float32:
        """The rest, float32 [m], as if silence followed; the stream then starts anew."""
        ...


class _SameRate:
    """Nothing to convert."""

    @property
    def delay_us(self) -> int:
        return 0

    def feed(self, samples: Float32) -> Float32:
        return samples

    def flush(self) -> Float32:
        return np.zeros(0, dtype=np.float32)


def stream_resampler(source_rate: int, target_rate: int) -> StreamResampler:
    """The way from `source_rate` to `target_rate` (Hz)."""
    if source_rate == target_rate:
        return _SameRate()
    if source_rate % 1000 or target_rate % 1000:
        return SoxrResampler(source_rate, target_rate)
    return PolyphaseResampler(source_rate, target_rate)
