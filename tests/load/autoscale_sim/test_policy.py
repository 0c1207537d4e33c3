"""The simulated autoscaler does what Kubernetes says of an HPA, with the policies that are deployed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.load.autoscale_sim.cluster import read_policies, read_shapes
from tests.load.autoscale_sim.measured import read_measured
from tests.load.autoscale_sim.policy import SYNC_S, Autoscaler, Direction, Policy, Rate

FAST = Direction((Rate("Percent", 100, 15), Rate("Pods", 2, 15)), 0)
SLOW = Direction((Rate("Pods", 1, 60),), 300)


def policy(up: Direction = FAST, down: Direction = SLOW, *, fallback: int | None = 4) -> Policy:
    return Policy("asr", 10, 2, 20, up, down, fallback, failures=3)


def follow(scaler: Autoscaler, pods: int, loads: Sequence[float | None]) -> list[int]:
    """The pods after each look, one every sync period."""
    seen = []
    for number, load in enumerate(loads):
        pods = scaler.pods(number * SYNC_S, pods, load)
        seen.append(pods)
    return seen


def test_as_many_pods_as_the_load_needs() -> None:
    assert follow(Autoscaler(policy()), 4, [61.0]) == [7]


@pytest.mark.parametrize("load", [37.0, 40.0, 43.0])
def test_a_load_close_to_the_target_changes_nothing(load: float) -> None:
    assert follow(Autoscaler(policy()), 4, [load]) == [4]


def test_up_as_fast_as_the_fastest_rate_lets_it_and_never_beyond_the_most() -> None:
    assert follow(Autoscaler(policy()), 2, [1000.0] * 4) == [4, 8, 16, 20]
    assert follow(Autoscaler(policy()), 1, [1000.0]) == [3]  # two pods are more than a hundred percent


def test_down_only_after_the_window_and_one_at_a_time() -> None:
    seen = follow(Autoscaler(policy()), 8, [80.0] + [20.0] * 40)
    window = int(300 / SYNC_S)
    assert set(seen[:window]) == {8}
    later = seen[window:]
    assert later[:5] == [7, 7, 7, 7, 6]


def test_one_look_at_a_high_load_keeps_the_pods_for_the_window() -> None:
    seen = follow(Autoscaler(policy()), 8, [20.0] * 10 + [80.0] + [20.0] * 20)
    assert set(seen[:30]) == {8}
    assert seen[30] == 7


def test_a_load_that_is_not_known_takes_nothing_away() -> None:
    assert follow(Autoscaler(policy()), 8, [None] * 40) == [8] * 40
    # The fallback, after three failures.
    assert follow(Autoscaler(policy()), 2, [None] * 5) == [2, 2, 2, 4, 4]
    assert follow(Autoscaler(policy(fallback=None)), 2, [None] * 4) == [2] * 4


def test_what_is_deployed_can_be_simulated() -> None:
    policies, shapes = read_policies(), read_shapes(read_measured())
    assert set(policies) == set(shapes) == {"gateway", "vad-asr", "llm", "tts"}
    for name, deployed in policies.items():
        # A pod is to have room for what comes while the next one starts.
        assert deployed.target < shapes[name].slots, name
        assert deployed.least >= 2, name
        assert deployed.fallback is not None, name
