"""Between a client's bytes and samples at the rate that a model works with."""

from __future__ import annotations

import numpy as np

from dialtone.audio.formats import sample_bytes
from dialtone.audio.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from dialtone.audio.pcm import (
    Float32,
    Pcm16,
    float_to_pcm16,
    pcm16_from_bytes,
    pcm16_to_bytes,
    rounded_to_pcm16,
)
from dialtone.audio.resample import stream_resampler
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AUDIO_ENCODING_PCMU, AudioFormat


class AudioDecoder:
    """Bytes in a client's format, cut anywhere, to int16 samples at `sample_rate` Hz.

    Half a sample at the end of a chunk waits for its other half. Raises UnsupportedFormat.
    """

    def __init__(self, source: AudioFormat, sample_rate: int) -> None:
        self._width = sample_bytes(source)
        self._encoding = source.encoding
        self._carried = b""
        self._resampler = (
            stream_resampler(source.sample_rate, sample_rate) if source.sample_rate != sample_rate else None
        )

    def feed(self, data: bytes) -> Pcm16:
        """The samples that are complete by now, int16 [n]."""
        if self._carried:
            data = self._carried + data
        whole = len(data) - len(data) % self._width
        self._carried = data[whole:]
        samples = self._decode(data[:whole])
        if self._resampler is None:
            return samples
        return rounded_to_pcm16(self._resampler.feed(samples.astype(np.float32)))

    def flush(self) -> Pcm16:
        """What the resampler still holds, int16 [n]; half a sample is dropped."""
        self._carried = b""
        if self._resampler is None:
            return np.zeros(0, dtype=np.int16)
        return rounded_to_pcm16(self._resampler.flush())

    def _decode(self, data: bytes) -> Pcm16:
        if self._encoding == AUDIO_ENCODING_PCM16:
            return pcm16_from_bytes(data)
        return ulaw_decode(data) if self._encoding == AUDIO_ENCODING_PCMU else alaw_decode(data)


class AudioEncoder:
    """Samples at `sample_rate` Hz to bytes in a client's format. Raises UnsupportedFormat."""

    def __init__(self, sample_rate: int, target: AudioFormat) -> None:
        sample_bytes(target)
        self._encoding = target.encoding
        self._resampler = stream_resampler(sample_rate, target.sample_rate)

    def feed(self, samples: Float32) -> bytes:
        """float32 [n] in [-1, 1) to the bytes that are certain by now."""
        return self._encode(self._resampler.feed(samples))

    def flush(self) -> bytes:
        """The rest; the stream then starts anew."""
        return self._encode(self._resampler.flush())

    def _encode(self, samples: Float32) -> bytes:
        pcm = float_to_pcm16(samples)
        if self._encoding == AUDIO_ENCODING_PCM16:
            return pcm16_to_bytes(pcm)
        return ulaw_encode(pcm) if self._encoding == AUDIO_ENCODING_PCMU else alaw_encode(pcm)
