"""A day of calls: when they come, how long they last, what they ask of each stage."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

DAY_S = 24 * 3600.0
# Calls at once, by the hour, as a share of the day's peak: a quiet night, a steep morning, a dip at noon.
_HOURS = (
    *(0.06, 0.04, 0.03, 0.03, 0.04, 0.08, 0.18, 0.42, 0.78, 0.96, 1.0, 0.92),
    *(0.72, 0.80, 0.95, 0.98, 0.90, 0.74, 0.58, 0.46, 0.36, 0.26, 0.16, 0.10),
)
SPIKE_AT_S, SPIKE_S, SPIKE = 16.25 * 3600, 600.0, 2.0
"""At a quarter past four, for ten minutes, twice as many call."""
CALL_S = 180.0
"""Length of a call, on average; lognormal, as calls to people are."""
_SPREAD = 0.9
_TALKS_S = (2.0, 7.0)  # a caller, in each turn
_LISTENS_S = (2.0, 9.0)  # and to the answer
_SENTENCES = (1, 4)
TURN_S = (sum(_TALKS_S) + sum(_LISTENS_S)) / 2
"""From turn to turn, on average."""
SENTENCES = sum(_SENTENCES) / 2
"""Of an answer, on average."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `turns`: when each question ends, in s from its beginning; `sentences` of each answer."""

    begins_s: float
    lasts_s: float
    turns: tuple[float, ...]
    sentences: tuple[int, ...]


def share_of_peak(at_s: float) -> float:
    """Calls at once, as a share of the peak without the spike."""
    hour = at_s / 3600
    before, between = int(hour) % 24, hour % 1
    base = _HOURS[before] * (1 - between) + _HOURS[(before + 1) % 24] * between
    return base * (SPIKE if SPIKE_AT_S <= at_s < SPIKE_AT_S + SPIKE_S else 1.0)


def day_of_calls(peak: float, dice: random.Random) -> Iterator[Call]:
    """All calls of a day with `peak` calls at once, in their order: a Poisson process, by thinning."""
    most = peak * SPIKE / CALL_S
    at_s = 0.0
    while (at_s := at_s + dice.expovariate(most)) < DAY_S:
        if dice.random() < share_of_peak(at_s) / SPIKE:
            yield _call(at_s, dice)


def _call(at_s: float, dice: random.Random) -> Call:
    lasts_s = dice.lognormvariate(math.log(CALL_S) - _SPREAD**2 / 2, _SPREAD)
    turns, now = [], 0.0
    while (now := now + dice.uniform(*_TALKS_S)) < lasts_s:
        turns.append(now)
        now += dice.uniform(*_LISTENS_S)
    return Call(at_s, lasts_s, tuple(turns), tuple(dice.randint(*_SENTENCES) for _ in turns))
