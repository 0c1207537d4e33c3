"""Bytes to samples and back: formats, odd bytes, clipping."""

import numpy as np
import pytest

from dialtone.audio import (
    AudioDecoder,
    AudioEncoder,
    UnsupportedFormat,
    duration_us,
    float_to_pcm16,
    pcm16_to_bytes,
    pcm16_to_float,
    ulaw_encode,
)
from dialtone.v1.common_pb2 import (
    AUDIO_ENCODING_PCM16,
    AUDIO_ENCODING_PCMA,
    AUDIO_ENCODING_PCMU,
    AudioEncoding,
    AudioFormat,
)

PCM16_16K = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=16_000)


def test_a_sample_cut_in_two_is_put_together() -> None:
    samples = np.arange(-50, 50, dtype=np.int16)
    data = pcm16_to_bytes(samples)
    decoder = AudioDecoder(PCM16_16K, 16_000)
    decoded = [decoder.feed(data[at : at + 3]) for at in range(0, len(data), 3)]
    assert np.array_equal(np.concatenate(decoded), samples)


def test_half_a_sample_at_the_end_is_dropped() -> None:
    decoder = AudioDecoder(PCM16_16K, 16_000)
    assert decoder.feed(b"\x01\x00\x02").tolist() == [1]
    decoder.flush()
    assert decoder.feed(b"\x03\x00").tolist() == [3]


def test_mulaw_telephone_audio_arrives_at_16_khz() -> None:
    tone = (np.sin(np.arange(8_000) * 2 * np.pi * 440 / 8_000) * 12_000).astype(np.int16)
    decoder = AudioDecoder(AudioFormat(encoding=AUDIO_ENCODING_PCMU, sample_rate=8_000), 16_000)
    decoded = np.concatenate([decoder.feed(ulaw_encode(tone)), decoder.flush()])
    expected = np.sin(np.arange(16_000) * 2 * np.pi * 440 / 16_000) * 12_000
    assert len(decoded) == 16_000
    assert np.abs(decoded - expected)[200:-200].max() < 600


@pytest.mark.parametrize("encoding", [AUDIO_ENCODING_PCM16, AUDIO_ENCODING_PCMU, AUDIO_ENCODING_PCMA])
def test_what_is_encoded_can_be_decoded(encoding: AudioEncoding) -> None:
    audio_format = AudioFormat(encoding=encoding, sample_rate=8_000)
    tone = (np.sin(np.arange(22_050) * 2 * np.pi * 300 / 22_050) * 0.5).astype(np.float32)
    encoder, decoder = AudioEncoder(22_050, audio_format), AudioDecoder(audio_format, 16_000)
    data = b"".join(encoder.feed(tone[at : at + 500]) for at in range(0, len(tone), 500)) + encoder.flush()
    assert duration_us(audio_format, len(data)) == 1_000_000
    back = pcm16_to_float(np.concatenate([decoder.feed(data), decoder.flush()]))
    expected = np.sin(np.arange(16_000) * 2 * np.pi * 300 / 16_000) * 0.5
    assert np.abs(back - expected)[200:-200].max() < 0.03


def test_too_loud_is_clipped_not_wrapped() -> None:
    loud = np.array([1.5, 1.0, -1.5], dtype=np.float32)
    assert float_to_pcm16(loud).tolist() == [32767, 32767, -32768]


@pytest.mark.parametrize(
    "audio_format",
    [AudioFormat(sample_rate=16_000), AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=1)],
    ids=["no encoding", "absurd rate"],
)
def test_a_format_that_is_none_is_refused(audio_format: AudioFormat) -> None:
    with pytest.raises(UnsupportedFormat):
        AudioDecoder(audio_format, 16_000)
