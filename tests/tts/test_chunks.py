"""Chunks: sizes, exact times, and what was delivered before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.audio import UnsupportedFormat
from dialtone.tts.chunks import Chunker
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AUDIO_ENCODING_PCMU, AudioFormat
from dialtone.v1.speech_pb2 import AudioChunk
from tests.tts.leases import assert_continuous


def chunked(audio: bytes, rate: int, cuts: list[int], delivered_us: int = 0) -> tuple[list[AudioChunk], int]:
    target = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=rate)
    chunker = Chunker(target, first_ms=40, chunk_ms=100, delivered_us=delivered_us)
    chunks = []
    position = 0
    for cut in [*cuts, len(audio)]:
        chunks += chunker.push(audio[position : position + 2 * cut])
        position += 2 * cut
    chunks += chunker.push(audio[position:]) + chunker.flush()
    return chunks, chunker.total_us


@given(
    rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000]),
    samples=st.integers(0, 30_000),
    cuts=st.lists(st.integers(0, 9_000), max_size=6),
)
def test_all_audio_comes_in_order_and_times_add_up(rate: int, samples: int, cuts: list[int]) -> None:
    audio = bytes(range(256)) * (samples // 128 + 1)
    audio = audio[: samples * 2]
    chunks, total = chunked(audio, rate, cuts)
    assert b"".join(chunk.audio for chunk in chunks) == audio
    assert assert_continuous(chunks) == total == samples * 1_000_000 // rate


@given(
    rate=st.sampled_from([8_000, 16_000, 22_050, 24_000, 44_100]),
    delivered_chunks=st.integers(0, 12),
    cuts=st.lists(st.integers(0, 9_000), max_size=6),
)
def test_a_resumed_sentence_continues_at_the_sample(
    rate: int, delivered_chunks: int, cuts: list[int]
) -> None:
    audio = bytes(range(250)) * (rate // 125)
    whole, total = chunked(audio, rate, [])
    before = whole[:delivered_chunks]
    delivered_us = before[-1].start_us + before[-1].duration_us if before else 0
    rest, total_again = chunked(audio, rate, cuts, delivered_us)
    assert b"".join(chunk.audio for chunk in before + rest) == audio
    assert assert_continuous(rest, start_us=delivered_us) == total == total_again


def test_the_first_chunk_is_short() -> None:
    chunks, _ = chunked(bytes(48_000), 24_000, [])
    assert [chunk.duration_us for chunk in chunks[:3]] == [40_000, 100_000, 100_000]


def test_eight_bit_audio_counts_bytes_as_samples() -> None:
    chunker = Chunker(AudioFormat(encoding=AUDIO_ENCODING_PCMU, sample_rate=8_000), first_ms=40, chunk_ms=100)
    assert [len(chunk.audio) for chunk in chunker.push(bytes(1_120))] == [320, 800]


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UnsupportedFormat):
        Chunker(AudioFormat(), first_ms=40, chunk_ms=100)
