"""G.711 (ITU-T, 1988): 8 bit mu-law and A-law, as table look-ups over whole arrays.

Decoding is a table of 256 entries and encoding one of 65,536, both computed once from the
definition, so that a frame costs one indexing operation.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Pcm16 = NDArray[np.int16]

_ULAW_BIAS = 33  # added before the logarithm, so that every magnitude has a leading one
_ULAW_CLIP = 8158
_ALAW_TOGGLE = 0x55  # even bits are inverted on the line, for clock recovery


@cache
def _ulaw_decoding() -> Pcm16:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent = (code >> 4) & 0x07
    magnitude = ((((code & 0x0F) << 1) + _ULAW_BIAS) << exponent) - _ULAW_BIAS
    return (np.where(code & 0x80, -magnitude, magnitude) << 2).astype(np.int16)


@cache
def _alaw_decoding() -> Pcm16:
    code = np.arange(256, dtype=np.int32) ^ _ALAW_TOGGLE
    exponent = (code >> 4) & 0x07
    mantissa = ((code & 0x0F) << 4) + 8
    magnitude = np.where(exponent == 0, mantissa, (mantissa + 0x100) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


@cache
def _ulaw_encoding() -> NDArray[np.uint8]:
    sample = np.arange(-32768, 32768, dtype=np.int32) >> 2  # mu-law codes 14 bits
    magnitude = np.minimum(np.abs(sample), _ULAW_CLIP) + _ULAW_BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    mantissa = (magnitude >> (exponent + 1)) & 0x0F
    code: NDArray[np.int32] = ~((exponent << 4) | mantissa | np.where(sample < 0, 0x80, 0)) & 0xFF
    return code.astype(np.uint8)


@cache
def _alaw_encoding() -> NDArray[np.uint8]:
    sample = np.arange(-32768, 32768, dtype=np.int32) >> 3  # A-law codes 13 bits
    positive = sample >= 0
    magnitude = np.where(positive, sample, -sample - 1)
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    mantissa = (magnitude >> np.maximum(exponent, 1)) & 0x0F
    code: NDArray[np.int32] = ((exponent << 4) | mantissa | np.where(positive, 0x80, 0)) ^ _ALAW_TOGGLE
    return code.astype(np.uint8)


def ulaw_decode(data: bytes) -> Pcm16:
    """PCMU bytes to samples, int16 [n], one a byte."""
    return _ulaw_decoding()[np.frombuffer(data, dtype=np.uint8)]


def alaw_decode(data: bytes) -> Pcm16:
    """PCMA bytes to samples, int16 [n], one a byte."""
    return _alaw_decoding()[np.frombuffer(data, dtype=np.uint8)]


def ulaw_encode(samples: Pcm16) -> bytes:
    """Samples, int16 [n], to PCMU bytes."""
    return _ulaw_encoding()[samples.astype(np.int32) + 32768].tobytes()


def alaw_encode(samples: Pcm16) -> bytes:
    """Samples, int16 [n], to PCMA bytes."""
    return _alaw_encoding()[samples.astype(np.int32) + 32768].tobytes()
