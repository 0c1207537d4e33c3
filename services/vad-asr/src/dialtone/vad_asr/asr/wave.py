"""A passage as the file that vendors want."""

from __future__ import annotations

import struct

import numpy as np

from dialtone.audio import Pcm16, pcm16_to_bytes
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE

# OpenAI refuses less than 0.1 s ("audio_too_short"), and models mishear what has no silence round it.
_SHORTEST = SAMPLE_RATE // 2


def wave_file(samples: Pcm16) -> bytes:
    """int16 [n] at 16 kHz as a WAV file, with silence behind it up to half a second."""
    if len(samples) < _SHORTEST:
        samples = np.concatenate([samples, np.zeros(_SHORTEST - len(samples), dtype=np.int16)])
    data = pcm16_to_bytes(samples)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLE_RATE, SAMPLE_RATE * 2, 2, 16)
    head = struct.pack("<4sI4s", b"RIFF", 4 + len(form) + 8 + len(data), b"WAVE")
    return head + form + struct.pack("<4sI", b"data", len(data)) + data
