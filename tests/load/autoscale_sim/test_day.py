"""A simulated morning."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.load.autoscale_sim.day import EARS, GATEWAY, LLM, TTS, Day, Events, Outcome
from tests.load.autoscale_sim.demand import Call
from tests.load.autoscale_sim.fleet import Shape
from tests.load.autoscale_sim.measured import Measured, ServiceTime
from tests.load.autoscale_sim.policy import Direction, Policy, Rate

HOUR_S = 3600.0
SECOND = ServiceTime((1.0,), (1,))
MEASURED = Measured({LLM: SECOND, TTS: SECOND}, {})
SLOTS = {GATEWAY: 50, EARS: 5, LLM: 5, TTS: 5}
SHAPES = {name: Shape(name, slots, 20.0, 4, 5.0) for name, slots in SLOTS.items()}
FAST = Direction((Rate("Percent", 100, 15),), 0)
SLOW = Direction((Rate("Pods", 1, 60),), 300)


def calls(every_s: float, from_s: float, until_s: float) -> list[Call]:
    return [
        Call(from_s + at * every_s, 180.0, tuple(range(5, 180, 10)), (2,) * 18)
        for at in range(int((until_s - from_s) / every_s))
    ]


BUSY = calls(6.0, 0.0, HOUR_S)
THEN_FEW = calls(30.0, HOUR_S, 2 * HOUR_S)


def policies() -> dict[str, Policy]:
    return {name: Policy(name, shape.slots * 0.7, 2, 40, FAST, SLOW, 4, 3) for name, shape in SHAPES.items()}


def live(
    events: Events | None = None, coming: Sequence[Call] = BUSY, *, scaled: bool = True, pods: int = 2
) -> Outcome:
    day = Day(
        SHAPES,
        dict.fromkeys(SHAPES, pods),
        policies() if scaled else {},
        MEASURED,
        events or Events(),
        random.Random(1),
    )
    return day.run(coming, coming[-1].begins_s + HOUR_S)


def test_the_fleet_follows_its_load_up_and_down() -> None:
    trace = live().traces[EARS]
    # 30 calls at once, 3.5 to a pod.
    assert trace.load[30] in (29, 30)
    assert trace.pods[30] in (8, 9, 10)
    assert trace.pods[-1] == 2


def test_pods_that_leave_hand_legs_over_and_finish_the_rest_and_no_call_is_cut() -> None:
    outcome = live(coming=[*BUSY, *THEN_FEW])
    assert outcome.calls == outcome.ended_calls == 720
    assert outcome.counts[TTS].finished == 720 * 18 * 2
    assert outcome.counts[EARS].handed_over > 0
    assert outcome.counts[LLM].handed_over == outcome.counts[TTS].handed_over == 0


def test_of_a_node_that_is_lost_as_many_legs_are_saved_as_others_have_room_for() -> None:
    """Four of eight pods hold fifteen of thirty legs; the other four have room for five of them at once."""
    outcome = live(Events(node_lost_s=1800.0))
    counts = outcome.counts[EARS]
    assert outcome.calls == outcome.ended_calls + outcome.cut_calls == 600
    assert counts.refused == outcome.cut_calls
    assert 0 < outcome.cut_calls < counts.handed_over


def test_a_fleet_that_stays_too_small_refuses_work_and_cuts_calls() -> None:
    outcome = live(scaled=False)
    assert outcome.counts[EARS].refused == outcome.cut_calls > 0


@pytest.mark.parametrize(("as_zero", "falls"), [(False, False), (True, True)])
def test_only_a_signal_that_fails_open_takes_pods_away(as_zero: bool, falls: bool) -> None:
    unknown = Events(unknown_s=(1200.0, 2400.0), unknown_is_zero=as_zero)
    pods = live(unknown).traces[EARS].pods
    assert (pods[38] < pods[19]) is falls


def test_a_load_that_is_scraped_is_answered_later() -> None:
    def ready(signal_s: float) -> list[int]:
        found = {name: replace(policy, signal_s=signal_s) for name, policy in policies().items()}
        day = Day(SHAPES, dict.fromkeys(SHAPES, 2), found, MEASURED, Events(), random.Random(1))
        return day.run(BUSY, HOUR_S).traces[EARS].pods

    assert sum(ready(120.0)[:10]) < sum(ready(0.0)[:10])


# --- whatever happens, nothing is lost and nothing comes from nowhere

SECONDS = st.floats(0.01, 40.0)
MOMENTS = st.floats(0.0, 900.0)


@st.composite
def a_call(draw: st.DrawFn) -> Call:
    lasts_s = draw(st.floats(0.1, 300.0))
    turns = sorted(draw(st.lists(st.floats(0.0, lasts_s), max_size=5)))
    return Call(draw(MOMENTS), lasts_s, tuple(turns), tuple(draw(st.integers(1, 4)) for _ in turns))


@settings(max_examples=60, deadline=None)
@given(
    coming=st.lists(a_call(), max_size=40).map(lambda some: sorted(some, key=lambda call: call.begins_s)),
    slots=st.integers(1, 6),
    pods=st.integers(1, 4),
    scaled=st.booleans(),
    takes_s=SECONDS,
    node_lost_s=st.none() | MOMENTS,
    until_s=MOMENTS | st.just(10 * HOUR_S),
    seed=st.integers(0, 99),
)
def test_every_call_and_every_piece_of_work_is_accounted_for(
    coming: list[Call],
    slots: int,
    pods: int,
    scaled: bool,
    takes_s: float,
    node_lost_s: float | None,
    until_s: float,
    seed: int,
) -> None:
    shapes = {name: Shape(name, slots, 20.0, 2, 5.0) for name in SHAPES}
    scalers = {name: Policy(name, slots * 0.7, 1, 6, FAST, SLOW, 4, 3) for name in shapes}
    measured = Measured(dict.fromkeys((LLM, TTS), ServiceTime((takes_s / 2, takes_s), (1, 3))), {})
    fullest: list[int] = []

    def look(_now: float) -> None:
        fullest.extend(len(pod.work) for fleet in day.fleets.values() for pod in fleet.pods)

    day = Day(
        shapes,
        dict.fromkeys(shapes, pods),
        scalers if scaled else {},
        measured,
        Events(node_lost_s),
        random.Random(seed),
        look,
    )
    outcome = day.run(coming, until_s)
    assert max(fullest, default=0) <= slots
    for name, fleet in day.fleets.items():
        count = fleet.count
        over = count.finished + count.refused + count.given_up
        assert count.asked == over + fleet.waiting + fleet.in_progress, name
        assert len(fleet.waits_s) == count.begun <= count.asked + count.handed_over
        assert min(fleet.waits_s, default=0.0) >= 0.0
    over = outcome.refused_calls + outcome.cut_calls + outcome.ended_calls
    assert outcome.calls >= over
    if until_s == 10 * HOUR_S:  # everything is over
        assert outcome.calls == over == len(coming)
        assert all(fleet.load == 0 for fleet in day.fleets.values())
