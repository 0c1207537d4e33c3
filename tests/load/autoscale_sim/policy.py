"""The scaling policy as it is deployed: KEDA's ScaledObjects, and what the HPA makes of them.

Sources: kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale (algorithm, tolerance, behavior),
pkg/controller/podautoscaler of Kubernetes for the order of its steps, keda.sh/docs/2.20 for the fallback.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

SYNC_S = 15.0
"""The HPA looks this often (--horizontal-pod-autoscaler-sync-period)."""
TOLERANCE = 0.1
"""A load within this of the target changes nothing (--horizontal-pod-autoscaler-tolerance)."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many pods, or percent of them, in a period."""

    type: Literal["Pods", "Percent"]
    value: int
    period_s: float


@dataclass(frozen=True, slots=True)
class Direction:
    """Of `behavior`: how fast, and how long a recommendation has to have held."""

    rates: tuple[Rate, ...]
    window_s: float
    select: Literal["Max", "Min"] = "Max"


@dataclass(frozen=True, slots=True)
class Policy:
    """How the pods of one deployment follow its load."""

    name: str
    target: float  # load of one pod
    least: int
    most: int
    up: Direction
    down: Direction
    fallback: int | None  # pods when the load is not known; the present ones stay if they are more
    failures: int  # in a row, that have to be passed until the fallback is taken
    signal_s: float = 0.0  # how old the load is at most that the autoscaler sees


def read_policy(path: Path, scraped_s: float) -> Policy:
    """Read a ScaledObject with one trigger; Prometheus scrapes each `scraped_s`, the broker knows at once.

    Raises ValueError for what is not simulated.
    """
    manifest = yaml.safe_load(path.read_text())
    spec = manifest["spec"]
    if len(spec["triggers"]) != 1:
        raise ValueError(f"{path.name}: one trigger is simulated, not {len(spec['triggers'])}")
    (trigger,) = spec["triggers"]
    metadata = trigger["metadata"]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    fallback = spec.get("fallback")
    if fallback and fallback.get("behavior") != "currentReplicasIfHigher":
        raise ValueError(f"{path.name}: only the fallback currentReplicasIfHigher is simulated")
    return Policy(
        name=spec["scaleTargetRef"]["name"],
        target=float(metadata.get("lagThreshold") or metadata["threshold"]),
        least=int(spec["minReplicaCount"]),
        most=int(spec["maxReplicaCount"]),
        up=_direction(behavior["scaleUp"]),
        down=_direction(behavior["scaleDown"]),
        fallback=int(fallback["replicas"]) if fallback else None,
        failures=int(fallback["failureThreshold"]) if fallback else 0,
        signal_s=scraped_s if trigger["type"] == "prometheus" else 0.0,
    )


def _direction(given: dict[str, Any]) -> Direction:
    rates = tuple(
        Rate(one["type"], int(one["value"]), float(one["periodSeconds"])) for one in given["policies"]
    )
    return Direction(rates, float(given["stabilizationWindowSeconds"]), given.get("selectPolicy", "Max"))


class Autoscaler:
    """The HPA of one deployment. No clock of its own: times are arguments, in seconds."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._recommended: deque[tuple[float, int]] = deque()
        self._changes: deque[tuple[float, int]] = deque()
        self._unknown = 0

    def pods(self, now: float, current: int, load: float | None) -> int:
        """How many there are to be; `load` is None when nothing is known of it."""
        wanted = self._wanted(current, load)
        wanted = self._limited(now, current, self._stable(now, current, wanted))
        if wanted != current:
            self._changes.append((now, wanted - current))
        return wanted

    def _wanted(self, current: int, load: float | None) -> int:
        policy = self.policy
        if load is None:
            self._unknown += 1
            if policy.fallback is not None and self._unknown > policy.failures:
                return max(current, policy.fallback)
            return current
        self._unknown = 0
        if current and abs(1.0 - load / (policy.target * current)) <= TOLERANCE:
            return current
        return math.ceil(load / policy.target)

    def _stable(self, now: float, current: int, wanted: int) -> int:
        """Up only to what held all of the upper window, down only to what held all of the lower one."""
        up, down = self.policy.up.window_s, self.policy.down.window_s
        if not self._recommended:
            self._recommended.append((now, current))  # as the controller does when it starts
        lowest = min([wanted, *(pods for at, pods in self._recommended if at > now - up)])
        highest = max([wanted, *(pods for at, pods in self._recommended if at > now - down)])
        self._recommended.append((now, wanted))
        while self._recommended[0][0] < now - max(up, down):
            self._recommended.popleft()
        return min(max(current, lowest), highest)

    def _limited(self, now: float, current: int, wanted: int) -> int:
        policy = self.policy
        wanted = min(max(wanted, policy.least), policy.most)
        if wanted > current:
            choose = max if policy.up.select == "Max" else min
            return min(wanted, choose(self._reach(now, current, rate, 1) for rate in policy.up.rates))
        if wanted < current:
            choose = min if policy.down.select == "Max" else max
            return max(wanted, choose(self._reach(now, current, rate, -1) for rate in policy.down.rates))
        return current

    def _reach(self, now: float, current: int, rate: Rate, sign: int) -> int:
        """Where the rate lets it go from where it was a period ago."""
        while self._changes and self._changes[0][0] <= now - 1800:
            self._changes.popleft()
        recent = sum(by for at, by in self._changes if at > now - rate.period_s and by * sign > 0)
        start = current - recent
        if rate.type == "Pods":
            return start + sign * rate.value
        return (
            math.ceil(start * (1 + rate.value / 100))
            if sign > 0
            else math.floor(start * (1 - rate.value / 100))
        )
