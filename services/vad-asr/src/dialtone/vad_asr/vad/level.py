"""How loud the stream is, in blocks of 10 ms: finds the last audible moment before a pause."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLOCK = 160  # samples at 16 kHz
_KEPT_BLOCKS = 300
_BELOW_PEAK = 0.03  # 30 dB below the loudest block, speech has ended
_ABOVE_FLOOR = 2.5  # 8 dB above the background, something is heard
_FLOOR_AT_MOST = 0.25
_FLOOR_QUANTILE = 0.1
_WAITING_AT_MOST = 32_000  # bytes: a second
_ABSOLUTE_FLOOR = 30.0  # in int16 steps, -61 dBFS: below this is silence anywhere


class LevelMeter:
    """The root mean square of the last 3 s of a stream, block by block.

    Levels are asked for around pauses only: until then samples wait, and are measured in one go.
    """

    def __init__(self) -> None:
        self._blocks: NDArray[np.float32] = np.zeros(_KEPT_BLOCKS, dtype=np.float32)
        self._measured = 0  # blocks since the stream began
        self._waiting = bytearray()

    def feed(self, pcm: bytes) -> None:
        """The next samples of the stream, 16 bit at 16 kHz."""
        self._waiting += pcm
        if len(self._waiting) > _WAITING_AT_MOST:
            self._measure()

    def _measure(self) -> None:
        count = len(self._waiting) // (2 * BLOCK)
        if not count:
            return
        samples = np.frombuffer(bytes(self._waiting[: count * 2 * BLOCK]), dtype="<i2").astype(np.float32)
        blocks = samples.reshape(count, BLOCK)
        levels = np.sqrt(np.einsum("ij,ij->i", blocks, blocks) / BLOCK)[-_KEPT_BLOCKS:]
        self._blocks = np.concatenate((self._blocks[len(levels) :], levels))
        self._measured += count
        del self._waiting[: count * 2 * BLOCK]

    def audible_level(self) -> float:
        """The level above which a block is part of the speech of these last seconds, in int16 steps."""
        self._measure()
        known = self._known()
        if not len(known):
            return _ABSOLUTE_FLOOR
        peak = float(known.max())
        # Where somebody speaks without a gap the quietest blocks are speech, too.
        rank = int(len(known) * _FLOOR_QUANTILE)
        floor = min(float(np.partition(known, rank)[rank]) * _ABOVE_FLOOR, peak * _FLOOR_AT_MOST)
        return max(peak * _BELOW_PEAK, floor, _ABSOLUTE_FLOOR)

    def last_audible(self, start: int, end: int) -> int | None:
        """End of the last audible block within [start, end), sample positions; None: there is none."""
        self._measure()
        offset = self._measured - _KEPT_BLOCKS  # index of the oldest block kept
        first = max(start // BLOCK - offset, 0)
        last = min(-(-end // BLOCK) - offset, _KEPT_BLOCKS)
        if first >= last:
            return None
        loud = np.flatnonzero(self._blocks[first:last] > self.audible_level())
        return int((first + loud[-1] + 1 + offset) * BLOCK) if len(loud) else None

    def loudest(self, start: int) -> float:
        """The level of the loudest block from the sample position `start` on, in int16 steps."""
        self._measure()
        first = max(start // BLOCK - (self._measured - _KEPT_BLOCKS), 0)
        blocks = self._blocks[first:]
        return float(blocks.max()) if len(blocks) else 0.0

    def _known(self) -> NDArray[np.float32]:
        return self._blocks[-min(self._measured, _KEPT_BLOCKS) :] if self._measured else self._blocks[:0]


class LevelGate:
    """Stands in for Silero where its model is not installed: only loudness is asked for.

    It keeps silence out, not noise; meant for the simulated stages, whose calls carry clean speech.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._meter = LevelMeter()
        self._fed = 0

    async def probabilities(self, chunks: Sequence[bytes]) -> list[float]:
        """Of each 1.0 where something is heard, else 0.0."""
        return [self._judge(chunk) for chunk in chunks]

    def _judge(self, chunk: bytes) -> float:
        self._meter.feed(chunk)
        begun, self._fed = self._fed, self._fed + len(chunk) // 2
        return 1.0 if self._meter.loudest(begun) > self._meter.audible_level() else 0.0
