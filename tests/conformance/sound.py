"""Recordings as frames of the formats that clients send."""

from __future__ import annotations

import numpy as np

from dialtone.audio import (
    alaw_decode,
    alaw_encode,
    pcm16_from_bytes,
    pcm16_to_bytes,
    ulaw_decode,
    ulaw_encode,
)
from dialtone.local.call.recording import FRAME_MS, Recording
from tests.conformance.dialect import AudioFormat

FRAME_S = FRAME_MS / 1000
_RATES = {"pcm": 24_000, "pcmu": 8_000, "pcma": 8_000}
_ENCODE = {"pcm": pcm16_to_bytes, "pcmu": ulaw_encode, "pcma": alaw_encode}
_DECODE = {"pcm": pcm16_from_bytes, "pcmu": ulaw_decode, "pcma": alaw_decode}


def frames(recording: Recording, form: AudioFormat) -> list[bytes]:
    """The recording in frames of 20 ms."""
    encode = _ENCODE[form]
    pcm = recording.at_rate(_RATES[form]).frames()
    return [encode(pcm16_from_bytes(frame)) for frame in pcm]


def silence(form: AudioFormat) -> bytes:
    """A frame of 20 ms."""
    return frames(Recording(np.zeros(480, np.int16), 24_000), form)[0]


def recorded(audio: bytes, form: AudioFormat) -> Recording:
    """What a client of this format received."""
    return Recording(_DECODE[form](audio), _RATES[form])
