"""The callers of the storm hear every word that is missing, or there twice: else they prove nothing."""

import numpy as np
import soxr

from tests.chaos.words import RATE, VOCABULARY, recognise, speak

SPOKEN = list(VOCABULARY[:6])


def heard(samples: "np.ndarray[tuple[int], np.dtype[np.int16]]") -> str:
    return recognise(soxr.resample(samples, RATE, 16_000))


def test_every_word_is_recognised() -> None:
    assert heard(speak(VOCABULARY)) == " ".join(VOCABULARY)


def test_a_hole_of_60_ms_in_a_word_is_noticed() -> None:
    whole = speak(SPOKEN)
    hole = slice(round(0.4 * RATE), round(0.46 * RATE))
    assert heard(np.delete(whole, hole)) != " ".join(SPOKEN)


def test_60_ms_that_come_twice_are_noticed() -> None:
    whole = speak(SPOKEN)
    again = whole[round(0.4 * RATE) : round(0.46 * RATE)]
    assert heard(np.insert(whole, round(0.46 * RATE), again)) != " ".join(SPOKEN)
