"""How calls come and go: the share of all callers that are there, by the share of the time that is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def steady(_done: float) -> float:
    """All of them, all the time."""
    return 1.0


def ramp(done: float) -> float:
    """Up to all in three quarters of the time, then down to none."""
    return done / 0.75 if done < 0.75 else (1.0 - done) / 0.25


def spike(done: float) -> float:
    """A fifth of them; in the middle third all at once."""
    return 1.0 if 1 / 3 <= done < 2 / 3 else 0.2


def soak(done: float) -> float:
    """All, with a dip to half in the middle: what is held beyond it is a leak."""
    return 0.5 if 0.45 <= done < 0.55 else 1.0


SHAPES: Mapping[str, Callable[[float], float]] = {
    "steady": steady,
    "ramp": ramp,
    "spike": spike,
    "soak": soak,
}
