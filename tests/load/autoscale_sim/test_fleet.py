"""The pods of one deployment, moment by moment."""

from __future__ import annotations

import heapq
import itertools

from tests.load.autoscale_sim.fleet import LEASE_S, NODE_S, Alarm, Fleet, Shape, Work


class Clock:
    """Alarms in their order."""

    def __init__(self) -> None:
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._numbers = itertools.count()

    def at(self, when_s: float, alarm: Alarm) -> None:
        heapq.heappush(self._alarms, (when_s, next(self._numbers), alarm))

    def until(self, when_s: float) -> None:
        while self._alarms and self._alarms[0][0] <= when_s:
            now, _, alarm = heapq.heappop(self._alarms)
            alarm(now)


def fleet(clock: Clock, *, pods: int, slots: int = 1, claim_s: float = 5.0) -> Fleet:
    return Fleet(Shape("tts", slots, 20.0, 1, claim_s), pods, clock.at)


def test_work_of_a_pod_that_is_lost_begins_again_elsewhere() -> None:
    clock = Clock()
    two = fleet(clock, pods=2)
    two.ask(0.0, Work(takes_s=10.0))
    two.lose_node(5.0)
    assert (two.waiting, two.in_progress, two.load) == (1, 0, 1)
    clock.until(5.0 + LEASE_S)
    assert (two.waiting, two.in_progress, two.waits_s) == (0, 1, [0.0, LEASE_S])
    clock.until(15.0)
    assert two.count.finished == 0
    clock.until(5.0 + LEASE_S + 10.0)
    assert (two.count.finished, two.count.handed_over, two.load) == (1, 1, 0)


def test_a_leg_whose_call_ends_while_it_waits_takes_no_slot() -> None:
    clock = Clock()
    one = fleet(clock, pods=1, claim_s=1000.0)
    leg = Work(until_s=50.0)
    one.ask(0.0, leg)
    one.lose_node(10.0)
    clock.until(20.0)
    one.give_up(20.0, leg)
    one.give_up(21.0, leg)  # both its stages say so
    assert (one.load, one.count.given_up) == (0, 1)
    clock.until(10.0 + NODE_S + 20.0)
    assert (one.ready(160.0), one.count.begun, one.load) == (1, 1, 0)


def test_work_that_is_refused_after_a_second_wait_is_refused_once() -> None:
    clock = Clock()
    refused: list[float] = []
    one = fleet(clock, pods=1)
    one.ask(0.0, Work(until_s=500.0, on_refused=refused.append))
    one.lose_node(3.0)
    clock.until(400.0)
    assert refused == [3.0 + LEASE_S + 5.0]
    assert (one.count.refused, one.load) == (1, 0)


def test_a_pod_that_leaves_goes_when_its_work_is_done_and_takes_no_more() -> None:
    clock = Clock()
    two = fleet(clock, pods=2)
    two.ask(0.0, Work(takes_s=10.0))
    two.ask(0.0, Work(takes_s=10.0))
    two.scale(1.0, 1)
    assert (len(two.pods), two.wanted, two.count.handed_over) == (2, 1, 0)
    two.ask(2.0, Work(takes_s=1.0))
    clock.until(10.0)
    assert (len(two.pods), two.in_progress, two.waiting) == (1, 0, 0)
    assert (two.count.refused, two.count.finished) == (1, 2)
