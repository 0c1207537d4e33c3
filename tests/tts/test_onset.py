"""The silence before an answer is not waited through."""

import numpy as np
import pytest

from dialtone.tts.onset import Onset

RATE = 22_050


@pytest.mark.parametrize("block", [100, 2_048, 50_000])
@pytest.mark.parametrize(("silence", "left"), [(0, 0), (100, 100), (2_000, 220), (5_000, 220)])
def test_leading_silence_is_cut_to_ten_milliseconds(silence: int, left: int, block: int) -> None:
    speech = np.full(8_000, 0.2, dtype=np.float32)
    audio = np.concatenate((np.zeros(silence, dtype=np.float32), speech))
    onset = Onset(RATE)
    heard = np.concatenate([onset.feed(audio[i : i + block]) for i in range(0, len(audio), block)])
    assert abs(len(heard) - len(speech) - left) <= 1
    assert np.array_equal(heard[-len(speech) :], speech)


def test_a_long_silence_is_kept_beyond_a_quarter_second() -> None:
    audio = np.zeros(RATE, dtype=np.float32)
    onset = Onset(RATE)
    heard = np.concatenate([onset.feed(audio[i : i + 500]) for i in range(0, len(audio), 500)])
    assert 0.74 * RATE < len(heard) < 0.77 * RATE


def test_what_is_kept_before_the_voice_rises_from_nothing() -> None:
    hiss = np.full(3_000, 0.002, dtype=np.float32)
    voice = np.full(1_000, 0.2, dtype=np.float32)
    heard = Onset(RATE).feed(np.concatenate((hiss, voice)))
    assert heard[0] == 0.0
    assert np.abs(np.diff(heard[:200])).max() < 0.0001
    assert np.array_equal(heard[-1_000:], voice)
