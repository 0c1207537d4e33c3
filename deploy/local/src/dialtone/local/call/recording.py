"""Recordings: mono 16-bit samples, their frames, and where their voice begins and ends."""

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

FRAME_MS = 20
SILENCE_LEVEL = 164
"""Samples below this (-46 dBFS) are silence: it lies above the noise floor of clean speech."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Mono samples, int16 [n], at `rate` Hz."""

    samples: NDArray[np.int16]
    rate: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / self.rate

    def at_rate(self, rate: int) -> "Recording":
        """The same sound at another sample rate."""
        if rate == self.rate:
            return self
        return Recording(soxr.resample(self.samples, self.rate, rate).astype(np.int16), rate)

    def frames(self) -> list[bytes]:
        """20 ms frames of PCM16 little endian; the last is filled up with silence."""
        size = self.rate * FRAME_MS // 1000
        padded = np.pad(self.samples, (0, -len(self.samples) % size))
        return [frame.astype("<i2").tobytes() for frame in padded.reshape(-1, size)]

    def last_voiced_frame(self) -> int | None:
        """Index of the frame that holds the last sample that is not silence; None when all of it is."""
        voiced = np.flatnonzero(np.abs(self.samples.astype(np.int32)) >= SILENCE_LEVEL)
        return int(voiced[-1]) // (self.rate * FRAME_MS // 1000) if len(voiced) else None


def has_voice(pcm: bytes) -> bool:
    """Tell whether PCM16 little endian holds a sample that is not silence."""
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2").astype(np.int32)
    return bool(len(samples)) and int(np.abs(samples).max()) >= SILENCE_LEVEL


def load_wav(path: Path) -> Recording:
    """Read a PCM WAV file of any rate and width; channels are averaged. Raises OSError, wave.Error."""
    with wave.open(str(path), "rb") as source:
        width, channels, rate = source.getsampwidth(), source.getnchannels(), source.getframerate()
        raw = source.readframes(source.getnframes())
    if width == 1:
        wide = (np.frombuffer(raw, dtype=np.uint8).astype(np.int32) - 128) << 8
    elif width == 3:
        octets = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 3).astype(np.int32)
        wide = (octets[:, 1] | (octets[:, 2] << 8)).astype(np.int16).astype(np.int32)
    else:
        wide = np.frombuffer(raw, dtype=f"<i{width}").astype(np.int32) >> (8 * width - 16)
    mono = wide.reshape(-1, channels).mean(axis=1)
    return Recording(mono.astype(np.int16), rate)


def save_wav(path: Path, pcm: bytes, rate: int) -> None:
    """Write mono PCM16 little endian as a WAV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(pcm[: len(pcm) // 2 * 2])
