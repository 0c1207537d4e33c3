"""A day, second by second: calls come, work waits and is done, the autoscalers look, a node is lost."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tests.load.autoscale_sim.demand import DAY_S, Call
from tests.load.autoscale_sim.fleet import Fleet, Shape, Work
from tests.load.autoscale_sim.measured import Measured
from tests.load.autoscale_sim.policy import SYNC_S, Autoscaler, Policy

SAMPLE_S = 60.0
GATEWAY, EARS, LLM, TTS = "gateway", "vad-asr", "llm", "tts"

Alarm = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Events:
    """What goes wrong. `load_known(now)`: whether the autoscalers learn anything."""

    node_lost_s: float | None = None
    unknown_s: tuple[float, float] = (0.0, 0.0)
    unknown_is_zero: bool = False  # as a signal that does not fail closed


@dataclass(slots=True)
class Trace:
    """One deployment over the day, a sample a minute."""

    pods: list[int] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    load: list[int] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    pod_hours: float = 0.0
    node_hours: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What came of the day."""

    calls: int = 0
    refused_calls: int = 0  # by a full gateway
    traces: dict[str, Trace] = field(default_factory=dict)
    waits_s: dict[str, list[float]] = field(default_factory=dict)
    refused_work: dict[str, int] = field(default_factory=dict)


class Day:
    """Simulates one. `policies`: of those deployments that scale; the others keep their pods."""

    def __init__(
        self,
        shapes: Mapping[str, Shape],
        pods: Mapping[str, int],
        policies: Mapping[str, Policy],
        measured: Measured,
        events: Events,
        dice: random.Random,
    ) -> None:
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._numbers = itertools.count()
        self._fleets = {name: Fleet(shape, pods[name], self._at) for name, shape in shapes.items()}
        self._scalers = {name: Autoscaler(policy) for name, policy in policies.items()}
        self._measured = measured
        self._events = events
        self._dice = dice
        self._outcome = Outcome(traces={name: Trace() for name in shapes})

    def run(self, calls: Iterable[Call], until_s: float = DAY_S) -> Outcome:
        """Live it through, or only a part of it."""
        coming = iter(calls)
        self._next_call(coming)
        self._at(SYNC_S, self._sync)
        self._at(0.0, self._sample)
        if self._events.node_lost_s is not None:
            self._at(self._events.node_lost_s, self._lose_node)
        while self._alarms and self._alarms[0][0] <= until_s:
            now, _, alarm = heapq.heappop(self._alarms)
            alarm(now)
        for name, fleet in self._fleets.items():
            self._outcome.waits_s[name] = fleet.waits_s
            self._outcome.refused_work[name] = fleet.refused
        return self._outcome

    def _at(self, when_s: float, alarm: Alarm) -> None:
        heapq.heappush(self._alarms, (when_s, next(self._numbers), alarm))

    # --- calls

    def _next_call(self, coming: Iterable[Call]) -> None:
        call = next(iter(coming), None)
        if call is None:
            return

        def begin(now: float) -> None:
            self._next_call(coming)
            self._begin(now, call)

        self._at(call.begins_s, begin)

    def _begin(self, now: float, call: Call) -> None:
        self._outcome.calls += 1
        gateway = self._fleets[GATEWAY]
        if not gateway.has_room(now):
            self._outcome.refused_calls += 1
            return
        ends_s = now + call.lasts_s
        gateway.ask(now, Work(now, lambda _now: None, until_s=ends_s))
        self._fleets[EARS].ask(now, Work(now, lambda _now: None, until_s=ends_s))
        for turn_s, sentences in zip(call.turns, call.sentences, strict=True):
            self._at(now + turn_s, lambda at_s, count=sentences: self._answer(at_s, count))  # type: ignore[misc]

    def _answer(self, now: float, sentences: int) -> None:
        """The model's turn; its sentences are spoken as they come, evenly over it."""
        takes_s = self._measured.work[LLM].draw(self._dice)

        def speak(at_s: float) -> None:
            self._fleets[TTS].ask(
                at_s, Work(at_s, lambda _now: None, takes_s=self._measured.work[TTS].draw(self._dice))
            )

        def done(at_s: float) -> None:
            for number in range(sentences):
                self._at(at_s - takes_s * (sentences - 1 - number) / sentences, speak)

        self._fleets[LLM].ask(now, Work(now, done, takes_s=takes_s))

    # --- the cluster

    def _sync(self, now: float) -> None:
        self._at(now + SYNC_S, self._sync)
        first, last = self._events.unknown_s
        known = not first <= now < last
        for name, scaler in self._scalers.items():
            fleet = self._fleets[name]
            load: float | None = fleet.load
            if not known:
                load = 0.0 if self._events.unknown_is_zero else None
            wanted = scaler.pods(now, fleet.wanted, load)
            fleet.scale(now, wanted)

    def _lose_node(self, now: float) -> None:
        for fleet in self._fleets.values():
            fleet.lose_node(now)

    def _sample(self, now: float) -> None:
        self._at(now + SAMPLE_S, self._sample)
        for name, fleet in self._fleets.items():
            trace, nodes = self._outcome.traces[name], fleet.cost_nodes(now)
            trace.pods.append(len(fleet.pods))
            trace.ready.append(fleet.ready(now))
            trace.load.append(fleet.load)
            trace.nodes.append(nodes)
            trace.pod_hours += len(fleet.pods) * SAMPLE_S / 3600
            trace.node_hours += nodes * SAMPLE_S / 3600
