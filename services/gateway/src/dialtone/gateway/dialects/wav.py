"""WAV files in memory."""

from __future__ import annotations

import struct

from dialtone.gateway.core.session import AudioFormat

_FORMAT_TAGS = {"audio/pcm": 1, "audio/pcma": 6, "audio/pcmu": 7}


def wav_file(audio: bytes, form: AudioFormat) -> bytes:
    """A complete file of mono audio that is in the format already."""
    sample_bytes = form.bytes_per_second // form.sample_rate
    return (
        struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            36 + len(audio),
            b"WAVE",
            b"fmt ",
            16,
            _FORMAT_TAGS[form.type],
            1,
            form.sample_rate,
            form.bytes_per_second,
            sample_bytes,
            8 * sample_bytes,
            b"data",
            len(audio),
        )
        + audio
    )
