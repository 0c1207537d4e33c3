"""G.711 against the codes of the standard and against the C implementation in Python, where it has one."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest

from dialtone.audio import Pcm16, alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

ALL_SAMPLES = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)


@pytest.mark.parametrize(
    ("sample", "code"), [(0, 0xFF), (-32124, 0x00), (32124, 0x80), (-8, 0x7E), (8, 0xFE), (1000, 0xCE)]
)
def test_ulaw_codes_of_known_samples(sample: int, code: int) -> None:
    assert ulaw_encode(np.array([sample], dtype=np.int16)) == bytes([code])


@pytest.mark.parametrize(
    ("sample", "code"), [(8, 0xD5), (-8, 0x55), (32256, 0xAA), (-32256, 0x2A), (1008, 0xFA)]
)
def test_alaw_codes_of_known_samples(sample: int, code: int) -> None:
    assert alaw_encode(np.array([sample], dtype=np.int16)) == bytes([code])
    assert alaw_decode(bytes([code])).tolist() == [sample]


def test_every_code_and_sample_agrees_with_the_reference_implementation() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop")
    codes, pcm = bytes(range(256)), ALL_SAMPLES.tobytes()
    assert ulaw_decode(codes).tobytes() == audioop.ulaw2lin(codes, 2)
    assert alaw_decode(codes).tobytes() == audioop.alaw2lin(codes, 2)
    assert ulaw_encode(ALL_SAMPLES) == audioop.lin2ulaw(pcm, 2)
    assert alaw_encode(ALL_SAMPLES) == audioop.lin2alaw(pcm, 2)


@pytest.mark.parametrize(("encode", "decode"), [(ulaw_encode, ulaw_decode), (alaw_encode, alaw_decode)])
def test_a_round_trip_costs_at_most_a_quantisation_step(
    encode: Callable[[Pcm16], bytes], decode: Callable[[bytes], Pcm16]
) -> None:
    back = decode(encode(ALL_SAMPLES)).astype(np.int32)
    error = np.abs(back - ALL_SAMPLES)
    step = np.maximum(np.abs(ALL_SAMPLES.astype(np.int32)) / 16, 16) + 512 * (np.abs(back) > 31000)
    assert (error <= step).all()
