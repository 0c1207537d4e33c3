"""The stream resampler: one stream whatever the chunks, on a true clock, with a small delay."""

import numpy as np
import pytest
import soxr

from dialtone.audio import Float32, StreamResampler, stream_resampler

RATES = [
    (8_000, 16_000),
    (24_000, 16_000),
    (48_000, 16_000),
    (22_050, 24_000),
    (22_050, 8_000),
    (44_100, 16_000),
]


def speech_band_noise(rate: int, limit_hz: float, seconds: float = 2.0) -> Float32:
    count = int(rate * seconds)
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(count))
    spectrum[np.fft.rfftfreq(count, 1 / rate) > limit_hz] = 0
    samples = np.fft.irfft(spectrum, count)
    scaled: Float32 = (samples / np.abs(samples).max() * 0.9).astype(np.float32)
    return scaled


def in_chunks(resampler: StreamResampler, samples: Float32, sizes: list[int]) -> Float32:
    pieces, at, turn = [], 0, 0
    while at < len(samples):
        size = sizes[turn % len(sizes)]
        pieces.append(resampler.feed(samples[at : at + size]))
        at, turn = at + size, turn + 1
    return np.concatenate([*pieces, resampler.flush()])


@pytest.mark.parametrize(("source", "target"), RATES)
@pytest.mark.parametrize("sizes", [[441], [1, 7, 160, 4000], [100_000]], ids=["even", "ragged", "whole"])
def test_chunks_give_what_the_whole_stream_gives(source: int, target: int, sizes: list[int]) -> None:
    samples = speech_band_noise(source, 0.42 * min(source, target))
    whole = soxr.resample(samples, source, target, quality="HQ")
    streamed = in_chunks(stream_resampler(source, target), samples, sizes)
    assert abs(len(streamed) - len(samples) * target / source) <= 1
    common = min(len(whole), len(streamed))
    # A click at a border would stand out of this by orders of magnitude.
    assert np.abs(streamed[:common] - whole[:common]).max() < 2e-3


@pytest.mark.parametrize(("source", "target"), RATES)
def test_the_output_stays_behind_by_the_stated_delay_only(source: int, target: int) -> None:
    resampler = stream_resampler(source, target)
    assert resampler.delay_us <= 8_100
    emitted = 0
    for frame in range(1, 101):
        emitted += len(resampler.feed(np.zeros(source // 50, dtype=np.float32)))
        lag_us = (frame * (source // 50) / source - emitted / target) * 1e6
        assert lag_us <= resampler.delay_us + 2e6 / target


def test_a_flushed_stream_starts_anew() -> None:
    resampler = stream_resampler(24_000, 16_000)
    tone = np.sin(np.arange(24_000) * 0.1).astype(np.float32)
    first = np.concatenate([resampler.feed(tone), resampler.flush()])
    second = np.concatenate([resampler.feed(tone), resampler.flush()])
    assert np.array_equal(first, second)


def test_equal_rates_pass_through_at_once() -> None:
    resampler = stream_resampler(16_000, 16_000)
    samples = np.linspace(-1, 1, 320, dtype=np.float32)
    assert np.array_equal(resampler.feed(samples), samples)
    assert len(resampler.flush()) == 0


@pytest.mark.parametrize(("source", "target"), [(s, t) for s, t in RATES if s % 1000 == t % 1000 == 0])
def test_what_both_rates_can_carry_stays_and_the_rest_goes(source: int, target: int) -> None:
    lower = min(source, target)
    inner = slice(target // 50, -target // 50)  # a tone that begins is more than a tone
    for frequency in np.linspace(50, 0.44 * lower, 12):
        kept = converted_tone(source, target, frequency)[inner]
        ideal = np.sin(2 * np.pi * frequency * np.arange(target) / target)[inner]
        assert np.abs(kept - ideal).max() < 10 ** (-85 / 20)
    for frequency in np.arange(0.501 * lower, source / 2, 500):
        assert np.abs(converted_tone(source, target, frequency)[inner]).max() < 10 ** (-85 / 20)


def converted_tone(source: int, target: int, frequency: float) -> Float32:
    tone = np.sin(2 * np.pi * frequency * np.arange(source) / source).astype(np.float32)
    resampler = stream_resampler(source, target)
    return np.concatenate([resampler.feed(tone), resampler.flush()])
