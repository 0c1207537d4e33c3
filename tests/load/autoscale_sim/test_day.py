"""A simulated morning."""

from __future__ import annotations

import random

import pytest

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


def calls(every_s: float, until_s: float) -> list[Call]:
    return [
        Call(at * every_s, 180.0, tuple(range(5, 180, 10)), (2,) * 18) for at in range(int(until_s / every_s))
    ]


def live(events: Events | None = None, *, scaled: bool = True, pods: int = 2) -> Outcome:
    policies = {
        name: Policy(name, shape.slots * 0.7, 2, 40, FAST, SLOW, 4, 3) for name, shape in SHAPES.items()
    }
    day = Day(
        SHAPES,
        dict.fromkeys(SHAPES, pods),
        policies if scaled else {},
        MEASURED,
        events or Events(),
        random.Random(1),
    )
    return day.run(calls(6.0, HOUR_S), 2 * HOUR_S)


def test_the_fleet_follows_its_load_up_and_down() -> None:
    trace = live().traces[EARS]
    # 30 calls at once, 3.5 to a pod.
    assert trace.load[30] in (29, 30)
    assert trace.pods[30] in (8, 9, 10)
    assert trace.pods[-1] == 2


def test_each_call_is_heard_and_each_sentence_spoken_once_though_a_node_is_lost() -> None:
    quiet, hurt = live(), live(Events(node_lost_s=1800.0))
    assert hurt.calls == quiet.calls == 600
    for outcome in (quiet, hurt):
        assert outcome.refused_calls == 0
    lost = sum(hurt.refused_work.values())
    assert len(hurt.waits_s[TTS]) + lost >= len(quiet.waits_s[TTS])
    assert max(hurt.traces[EARS].pods) >= max(quiet.traces[EARS].pods)


def test_a_fleet_that_stays_too_small_refuses_work() -> None:
    assert sum(live(scaled=False).refused_work.values()) > 0


@pytest.mark.parametrize(("as_zero", "falls"), [(False, False), (True, True)])
def test_only_a_signal_that_fails_open_takes_pods_away(as_zero: bool, falls: bool) -> None:
    unknown = Events(unknown_s=(1200.0, 2400.0), unknown_is_zero=as_zero)
    pods = live(unknown).traces[EARS].pods
    assert (pods[38] < pods[19]) is falls
