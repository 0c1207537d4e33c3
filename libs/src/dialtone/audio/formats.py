"""What an AudioFormat says about bytes and time."""

from __future__ import annotations

from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AUDIO_ENCODING_PCMA, AUDIO_ENCODING_PCMU, AudioFormat

MIN_SAMPLE_RATE = 8_000
MAX_SAMPLE_RATE = 192_000

_SAMPLE_BYTES = {AUDIO_ENCODING_PCM16: 2, AUDIO_ENCODING_PCMU: 1, AUDIO_ENCODING_PCMA: 1}


class UnsupportedFormat(ValueError):
    """An encoding or sample rate that cannot be decoded here."""


def check_format(audio_format: AudioFormat) -> None:
    """Raises UnsupportedFormat with what is wrong."""
    if audio_format.encoding not in _SAMPLE_BYTES:
        raise UnsupportedFormat(f"unknown audio encoding {audio_format.encoding}")
    if not MIN_SAMPLE_RATE <= audio_format.sample_rate <= MAX_SAMPLE_RATE:
        raise UnsupportedFormat(f"sample rate {audio_format.sample_rate} Hz is out of range")


def sample_bytes(audio_format: AudioFormat) -> int:
    """Bytes of one sample: 2 for PCM16, 1 for G.711."""
    check_format(audio_format)
    return _SAMPLE_BYTES[audio_format.encoding]


def duration_us(audio_format: AudioFormat, byte_count: int) -> int:
    """Microseconds of audio in so many bytes; a part of a sample counts for nothing."""
    return byte_count // sample_bytes(audio_format) * 1_000_000 // audio_format.sample_rate
