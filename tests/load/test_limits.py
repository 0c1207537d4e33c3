"""When a load test fails."""

import pytest

from tests.load.limits import CALL, GAP, TURN, V2V, Limits
from tests.load.shapes import SHAPES

LIMITS = Limits(v2v_ms=800, gap_ms=100, failed=0.01)
GOOD = {V2V: 700.0, GAP: 0.0, TURN: 0.0, CALL: 0.0}


def broken(**seen: float | None) -> list[str]:
    named = {"v2v": V2V, "gap": GAP, "turn": TURN, "call": CALL}
    figures: dict[str, float | None] = {**GOOD, **{named[name]: value for name, value in seen.items()}}
    return list(LIMITS.broken(figures.__getitem__, figures.__getitem__))


def test_what_keeps_to_the_limits_is_well() -> None:
    assert broken() == []
    assert broken(v2v=800.0, gap=100.0, turn=0.01) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("v2v", 801.0, "voice to voice: p95 is 801 ms, over 800"),
        ("gap", 101.0, "gap in the answer: p95 is 101 ms, over 100"),
        ("turn", 0.02, "2.0% of the turns failed, over 1.0%"),
        ("call", 0.5, "50.0% of the calls failed, over 1.0%"),
        ("v2v", None, "no turn was answered"),
    ],
)
def test_each_limit_is_named(name: str, value: float | None, said: str) -> None:
    assert broken(**{name: value}) == [said]


def test_figures_of_a_load_that_was_late_itself_are_not_believed() -> None:
    limits = Limits(v2v_ms=800, gap_ms=100, failed=0.01, late_frames=0.01)
    assert not list(limits.broken(GOOD.get, GOOD.get, late_frames=0.01))
    (said,) = limits.broken(GOOD.get, GOOD.get, late_frames=0.25)
    assert said == "25.0% of the load's own frames were late, over 1.0%: what it measured is itself"


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_a_share_and_reaches_all_callers(name: str) -> None:
    shares = [SHAPES[name](step / 1000) for step in range(1000)]
    assert min(shares) >= 0
    assert max(shares) == pytest.approx(1.0, abs=0.01)
