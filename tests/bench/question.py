"""Questions whose end is exact: the last sample of the last frame is the last one that is not silence.

So voice-to-voice is measured against the hardest case: a recording that ends in the middle of a frame gives
the other side up to 20 ms of silence before the frame is even written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dialtone.local.call.recording import FRAME_MS, SILENCE_LEVEL, Recording, load_wav

RATE = 24_000
FRAME_SAMPLES = RATE * FRAME_MS // 1000
_BLOCK = RATE // 100  # 10 ms
_PAUSE_LEVEL = 330.0  # RMS (-40 dBFS) below which a block counts as a pause
_BACKGROUND = 10  # percentile of the blocks' peaks that is taken for the recording's background


@dataclass(frozen=True, slots=True)
class Question:
    """PCM16 frames of 20 ms at 24 kHz; every one of them is part of the question."""

    name: str
    frames: tuple[bytes, ...]
    longest_pause_ms: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.frames) * FRAME_MS / 1000


def load_question(path: Path, name: str = "") -> Question:
    """Read a recording and cut the silence off both ends. ValueError when there is nothing but silence."""
    return make_question(load_wav(path), name or path.stem)


def make_question(recording: Recording, name: str) -> Question:
    """Cut a recording to its sound and put its end at the end of a frame."""
    samples = recording.at_rate(RATE).samples
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) >= silence_level(samples))
    if not len(loud):
        raise ValueError(f"{name} holds nothing but silence")
    sound = samples[loud[0] : loud[-1] + 1]
    framed = np.pad(sound, (-len(sound) % FRAME_SAMPLES, 0)).reshape(-1, FRAME_SAMPLES)
    return Question(name, tuple(frame.astype("<i2").tobytes() for frame in framed), longest_pause_ms(sound))


def silence_level(samples: NDArray[np.int16]) -> int:
    """What is quieter is silence: -46 dBFS, or twice the background of a recording that has a louder one."""
    peaks = np.abs(_blocks(samples).astype(np.int32)).max(axis=1, initial=0)
    background = int(np.percentile(peaks, _BACKGROUND)) if len(peaks) else 0
    return max(SILENCE_LEVEL, 2 * background)


def _blocks(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    return samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)


def longest_pause_ms(sound: NDArray[np.int16]) -> int:
    """The longest stretch inside the sound (int16 [n] at 24 kHz) that may be taken for its end."""
    quiet = np.sqrt((_blocks(sound).astype(np.float64) ** 2).mean(axis=1)) < _PAUSE_LEVEL
    longest = run = 0
    for is_quiet in quiet:
        run = run + 1 if is_quiet else 0
        longest = max(longest, run)
    return longest * 10
