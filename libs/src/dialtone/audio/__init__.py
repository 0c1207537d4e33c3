"""Samples: client formats, G.711, streaming resampling. Needs numpy and soxr (extra `audio`)."""

from dialtone.audio.formats import UnsupportedFormat, check_format, duration_us, sample_bytes
from dialtone.audio.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from dialtone.audio.pcm import (
    Float32,
    Pcm16,
    float_to_pcm16,
    pcm16_from_bytes,
    pcm16_to_bytes,
    pcm16_to_float,
)
from dialtone.audio.resample import StreamResampler, stream_resampler
from dialtone.audio.streams import AudioDecoder, AudioEncoder

__all__ = [
    "AudioDecoder",
    "AudioEncoder",
    "Float32",
    "Pcm16",
    "StreamResampler",
    "UnsupportedFormat",
    "alaw_decode",
    "alaw_encode",
    "check_format",
    "duration_us",
    "float_to_pcm16",
    "pcm16_from_bytes",
    "pcm16_to_bytes",
    "pcm16_to_float",
    "sample_bytes",
    "stream_resampler",
    "ulaw_decode",
    "ulaw_encode",
]
