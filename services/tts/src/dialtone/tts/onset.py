"""Takes the silence off the front of an answer, which the caller would wait through."""

from __future__ import annotations

import numpy as np

from dialtone.audio import Float32

_SILENT = 0.003  # -50 dBFS: below any voice, above the hiss that models make of silence
_KEPT_S = 0.010  # so that a soft consonant keeps its beginning
_LONGEST_S = 0.250  # a longer silence is meant


class Onset:
    """Drops leading silence from blocks of one sentence; `sample_rate` in Hz."""

    def __init__(self, sample_rate: int) -> None:
        self._kept = round(_KEPT_S * sample_rate)
        self._left = round(_LONGEST_S * sample_rate)
        self._held = np.zeros(0, dtype=np.float32)
        self._found = False

    def feed(self, block: Float32) -> Float32:
        """Return what of float32 [n] is to be heard, with what was held back before."""
        if self._found:
            return block
        block = np.concatenate((self._held, block))
        loud = np.flatnonzero(np.abs(block[: self._left]) > _SILENT)
        if len(loud) or len(block) >= self._left:
            self._found = True
            self._held = block[:0]
            if not len(loud):
                return block[self._left :]
            voice = int(loud[0])
            start = max(voice - self._kept, 0)
            rising = block[start:].copy()
            # The hiss that is kept does not begin with a step.
            rising[: voice - start] *= np.linspace(0.0, 1.0, voice - start, dtype=np.float32)
            return rising
        self._held = block[-self._kept :]
        self._left -= len(block) - len(self._held)
        return block[:0]
