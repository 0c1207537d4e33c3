"""Between 16 bit little-endian samples and float32 in [-1, 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Pcm16 = NDArray[np.int16]


def pcm16_from_bytes(data: bytes) -> Pcm16:
    """Little-endian bytes to int16 [n]; the length must be even."""
    return np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False)


def pcm16_to_bytes(samples: Pcm16) -> bytes:
    """int16 [n] to little-endian bytes."""
    return samples.astype("<i2", copy=False).tobytes()


def pcm16_to_float(samples: Pcm16) -> Float32:
    """int16 [n] to float32 [n]; full scale is 1.0."""
    return samples.astype(np.float32) * np.float32(1 / 32768)


def float_to_pcm16(samples: Float32) -> Pcm16:
    """float32 [n] to int16 [n], rounded; what is beyond full scale is clipped, never wrapped."""
    return rounded_to_pcm16(samples * np.float32(32768))


def rounded_to_pcm16(scaled: Float32) -> Pcm16:
    """float32 [n] where full scale is 32768, as int16 are, to int16 [n]; `scaled` is overwritten."""
    np.rint(scaled, out=scaled)
    np.minimum(scaled, np.float32(32767), out=scaled)  # np.clip takes longer to call than to do this
    np.maximum(scaled, np.float32(-32768), out=scaled)
    return scaled.astype(np.int16)
