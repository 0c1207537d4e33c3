"""A tone with a known timing, for measuring everything around the models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import numpy as np

from dialtone.audio import Float32
from dialtone.tts.engines.base import Style

FIRST_AUDIO_S = 0.050
CHARACTER_S = 0.060
_RATE = 24_000
_PERIOD = 120  # samples: 200 Hz
_AMPLITUDE = 0.3
_BLOCK = _RATE // 2
_BLOCK_S = 0.010  # time that a block takes once the first is out: 50 times faster than it plays


class SimulatedEngine:
    """Speaks each text as 60 ms of tone a character; the first block comes after 50 ms."""

    name = "simulated"
    sample_rate = _RATE

    def __init__(self) -> None:
        # A cosine: the very first sample is already loud, so "first non-silent sample" is exact.
        period = _AMPLITUDE * np.cos(2 * np.pi * np.arange(_PERIOD) / _PERIOD)
        self._block: Float32 = np.tile(period, _BLOCK // _PERIOD).astype(np.float32)

    async def speak(self, text: str, style: Style) -> AsyncGenerator[Float32, None]:
        """Yield the tone; the style's length scale and speed stretch it."""
        length = (1.0 if style.length_scale is None else style.length_scale) / style.speed
        left = round(len(text) * CHARACTER_S * length * _RATE)
        pause = FIRST_AUDIO_S
        while left > 0:
            await asyncio.sleep(pause)
            pause = _BLOCK_S
            yield self._block[:left]
            left -= _BLOCK

    async def warm_up(self) -> None:
        """Nothing gets faster."""
