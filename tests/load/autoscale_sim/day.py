"""A day, second by second: calls come, work waits and is done, the autoscalers look, a node is lost."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from tests.load.autoscale_sim.demand import DAY_S, Call
from tests.load.autoscale_sim.fleet import Alarm, Count, Fleet, Shape, Work
from tests.load.autoscale_sim.measured import Measured
from tests.load.autoscale_sim.policy import SYNC_S, Autoscaler, Policy

SAMPLE_S = 60.0
GATEWAY, EARS, LLM, TTS = "gateway", "vad-asr", "llm", "tts"


@dataclass(frozen=True, slots=True)
class Events:
    """What goes wrong. In `unknown_s` the autoscalers learn nothing of the load."""

    node_lost_s: float | None = None
    unknown_s: tuple[float, float] = (0.0, 0.0)
    unknown_is_zero: bool = False  # as a signal that does not fail closed


@dataclass(slots=True)
class Trace:
    """One deployment over the day, a sample a minute."""

    pods: list[int] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    load: list[int] = field(default_factory=list)
    pod_hours: float = 0.0
    core_hours: float = 0.0
    """Of the cores that pods ask for, which is what nodes are made and paid for."""


@dataclass(slots=True)
class Outcome:
    """What came of the day. At any time calls = refused + cut off + ended + going on."""

    calls: int = 0
    refused_calls: int = 0  # by full gateways
    cut_calls: int = 0  # for want of ears, or of a gateway after theirs was lost
    ended_calls: int = 0
    traces: dict[str, Trace] = field(default_factory=dict)
    waits_s: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, Count] = field(default_factory=dict)


@dataclass(slots=True)
class _Going:
    """A call that goes on."""

    legs: dict[str, Work] = field(default_factory=dict)
    over: bool = False


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
        on_sample: Alarm = lambda _now: None,
    ) -> None:
        """`on_sample` is called once a simulated minute."""
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._numbers = itertools.count()
        self._now = 0.0
        self.fleets = {name: Fleet(shape, pods[name], self._at) for name, shape in shapes.items()}
        self._scalers = {name: Autoscaler(policy) for name, policy in policies.items()}
        self._seen: dict[str, tuple[float, float]] = {}
        self._measured = measured
        self._events = events
        self._dice = dice
        self._on_sample = on_sample
        self._outcome = Outcome(traces={name: Trace() for name in shapes})

    def run(self, calls: Iterable[Call], until_s: float = DAY_S) -> Outcome:
        """Live it through, or only a part of it."""
        self._next_call(iter(calls))
        self._at(SYNC_S, self._sync)
        self._at(0.0, self._sample)
        if self._events.node_lost_s is not None:
            self._at(self._events.node_lost_s, self._lose_node)
        while self._alarms and self._alarms[0][0] <= until_s:
            self._now, _, alarm = heapq.heappop(self._alarms)
            alarm(self._now)
        for name, fleet in self.fleets.items():
            self._outcome.waits_s[name] = fleet.waits_s
            self._outcome.counts[name] = fleet.count
        return self._outcome

    def _at(self, when_s: float, alarm: Alarm) -> None:
        if when_s < self._now:
            raise ValueError(f"{when_s} is over, it is {self._now}")
        heapq.heappush(self._alarms, (when_s, next(self._numbers), alarm))

    # --- calls

    def _next_call(self, coming: Iterator[Call]) -> None:
        call = next(coming, None)
        if call is None:
            return

        def begin(now: float) -> None:
            self._next_call(coming)
            self._begin(now, call)

        self._at(call.begins_s, begin)

    def _begin(self, now: float, call: Call) -> None:
        self._outcome.calls += 1
        if not self.fleets[GATEWAY].has_room(now):
            self._outcome.refused_calls += 1
            return
        going = _Going()
        cut = partial(self._cut, going)
        for name in (GATEWAY, EARS):
            going.legs[name] = Work(until_s=now + call.lasts_s, on_refused=cut)
        self._at(now + call.lasts_s, partial(self._end, going))
        for name, leg in going.legs.items():
            self.fleets[name].ask(now, leg)
        for turn_s, sentences in zip(call.turns, call.sentences, strict=True):
            self._at(now + turn_s, partial(self._answer, going, sentences))

    def _end(self, going: _Going, now: float) -> None:
        if going.over:
            return
        going.over = True
        self._outcome.ended_calls += 1
        for name, leg in going.legs.items():
            if leg.queued_s is not None:  # handed over, and nobody took it before the end
                self.fleets[name].give_up(now, leg)

    def _cut(self, going: _Going, now: float) -> None:
        if going.over:
            return
        going.over = True
        self._outcome.cut_calls += 1
        for name, leg in going.legs.items():
            self.fleets[name].give_up(now, leg)

    def _answer(self, going: _Going, sentences: int, now: float) -> None:
        """The model's turn; its sentences are spoken as they come, evenly over it."""
        if going.over:
            return
        takes_s = self._measured.work[LLM].draw(self._dice)

        def speak(at_s: float) -> None:
            self.fleets[TTS].ask(at_s, Work(takes_s=self._measured.work[TTS].draw(self._dice)))

        def begin(at_s: float) -> None:
            for number in range(1, sentences + 1):
                self._at(at_s + takes_s * number / sentences, speak)

        self.fleets[LLM].ask(now, Work(takes_s=takes_s, on_begin=begin))

    # --- the cluster

    def _sync(self, now: float) -> None:
        self._at(now + SYNC_S, self._sync)
        first, last = self._events.unknown_s
        known = not first <= now < last
        for name, scaler in self._scalers.items():
            fleet = self.fleets[name]
            load: float | None = self._load(now, name, scaler.policy.signal_s)
            if not known:
                load = 0.0 if self._events.unknown_is_zero else None
            fleet.scale(now, scaler.pods(now, fleet.wanted, load))

    def _load(self, now: float, name: str, signal_s: float) -> float:
        """As the autoscaler knows it: what is scraped is as old as the last scrape."""
        seen_s, load = self._seen.get(name, (-signal_s, 0.0))
        if now - seen_s >= signal_s:
            load = self.fleets[name].load
            self._seen[name] = now, load
        return load

    def _lose_node(self, now: float) -> None:
        for fleet in self.fleets.values():
            fleet.lose_node(now)

    def _sample(self, now: float) -> None:
        self._at(now + SAMPLE_S, self._sample)
        for name, fleet in self.fleets.items():
            fleet.drop_empty_nodes(now)
            trace, hours = self._outcome.traces[name], len(fleet.pods) * SAMPLE_S / 3600
            trace.pods.append(len(fleet.pods))
            trace.ready.append(fleet.ready(now))
            trace.load.append(fleet.load)
            trace.pod_hours += hours
            trace.core_hours += hours * fleet.shape.cores
        self._on_sample(now)
