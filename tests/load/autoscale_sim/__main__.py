"""Lives through a day of calls with the autoscaler as it is deployed, and with fleets that stay as they are.

    python -m tests.load.autoscale_sim --peak 100

At half past two the fullest node of each deployment is lost; at a quarter past four twice as many call,
for ten minutes; in two of the runs the load is not known for ten minutes at the day's peak. Cost is in
core hours, against those of a fleet that has all day what the peak needs. Written to build/autoscale.json,
build/autoscale.md and build/autoscale-*.png.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.bench.figures import markdown_table
from tests.bench.stack import BUILD
from tests.load.autoscale_sim.cluster import read_policies, read_shapes
from tests.load.autoscale_sim.day import Day, Events, Outcome
from tests.load.autoscale_sim.demand import DAY_S, day_of_calls
from tests.load.autoscale_sim.fleet import Shape
from tests.load.autoscale_sim.measured import Measured, read_measured
from tests.load.autoscale_sim.plots import draw
from tests.load.autoscale_sim.policy import Policy

NODE_LOST_S = 14.5 * 3600
UNKNOWN_S = (10 * 3600.0, 10 * 3600.0 + 600)
AUTOSCALED, FOR_THE_PEAK = "autoscaled", "fixed, for the peak"


class Cluster:
    """The same day on different fleets."""

    def __init__(self, peak: float, seed: int, on_sample: Callable[[float], None]) -> None:
        self._on_sample = on_sample
        self.measured: Measured = read_measured()
        self.policies: Mapping[str, Policy] = read_policies()
        self.shapes: Mapping[str, Shape] = read_shapes(self.measured)
        self._peak = peak
        self._seed = seed

    def scaled(self, events: Events) -> Outcome:
        """With the autoscaler."""
        return self._live(
            {name: policy.least for name, policy in self.policies.items()}, self.policies, events
        )

    def fixed(self, pods: Mapping[str, int]) -> Outcome:
        """With as many pods all day."""
        return self._live(pods, {}, Events(node_lost_s=NODE_LOST_S))

    def pods_for(self, loads: Mapping[str, float]) -> dict[str, int]:
        """A fleet that has these loads at the policy's target, and never less than it has."""
        return {
            name: max(policy.least, math.ceil(loads[name] / policy.target))
            for name, policy in self.policies.items()
        }

    def _live(self, pods: Mapping[str, int], policies: Mapping[str, Policy], events: Events) -> Outcome:
        dice = random.Random(self._seed)
        day = Day(self.shapes, pods, policies, self.measured, events, dice, self._on_sample)
        return day.run(day_of_calls(self._peak, random.Random(self._seed)))


def figures_of(outcome: Outcome) -> dict[str, Any]:
    """For JSON and for the tables."""
    stages = {}
    for name, trace in outcome.traces.items():
        waits = np.asarray(outcome.waits_s[name] or [0.0]) * 1e3
        stages[name] = {
            "work": outcome.counts[name].asked,
            "refused": outcome.counts[name].refused,
            "handed_over": outcome.counts[name].handed_over,
            "waited": round(float((waits > 0).mean()), 5),
            "wait_ms": {
                "p95": round(float(np.percentile(waits, 95)), 1),
                "p99": round(float(np.percentile(waits, 99)), 1),
                "p99.9": round(float(np.percentile(waits, 99.9)), 1),
                "max": round(float(waits.max()), 1),
            },
            "pods": [min(trace.pods), max(trace.pods)],
            "pod_hours": round(trace.pod_hours, 1),
            "core_hours": round(trace.core_hours, 1),
        }
    return {
        "calls": outcome.calls,
        "refused_calls": outcome.refused_calls,
        "cut_calls": outcome.cut_calls,
        "core_hours": round(sum(trace.core_hours for trace in outcome.traces.values()), 1),
        "stages": stages,
    }


def to_markdown(results: Mapping[str, dict[str, Any]]) -> str:
    """A table of the fleets, and one of their deployments."""
    fleets, stages = [], []
    full_cost = results[FOR_THE_PEAK]["core_hours"]
    for name, result in results.items():
        each = result["stages"]
        fleets.append(
            (
                name,
                result["calls"],
                result["refused_calls"],
                result["cut_calls"],
                sum(one["refused"] for one in each.values()),
                sum(one["handed_over"] for one in each.values()),
                round(sum(one["pod_hours"] for one in each.values())),
                round(result["core_hours"]),
                f"{result['core_hours'] / full_cost:.0%}",
            )
        )
        for stage, one in each.items():
            wait = one["wait_ms"]
            stages.append(
                (
                    f"{name}: {stage}",
                    "-".join(map(str, one["pods"])),
                    one["work"],
                    one["refused"],
                    f"{one['waited']:.3%}",
                    wait["p99"],
                    wait["p99.9"],
                    wait["max"],
                )
            )
    return "\n".join(
        [
            markdown_table(
                (
                    "fleet",
                    "calls",
                    "refused",
                    "cut off",
                    "work refused",
                    "handed over",
                    "pod hours",
                    "core hours",
                    "cost",
                ),
                fleets,
            ),
            "Waits of work for a slot, ms:\n",
            markdown_table(
                ("deployment", "pods", "work", "refused", "waited", "p99", "p99.9", "max"), stages
            ),
        ]
    )


def live_through(cluster: Cluster, begin: Callable[[str], object]) -> dict[str, Outcome]:
    """The day on each fleet; `begin(name)` is called before each."""
    lost = NODE_LOST_S
    begin(AUTOSCALED)
    outcomes = {AUTOSCALED: cluster.scaled(Events(lost))}
    traces = outcomes[AUTOSCALED].traces
    most = cluster.pods_for({name: max(trace.load) for name, trace in traces.items()})
    mean = cluster.pods_for({name: float(np.mean(trace.load)) for name, trace in traces.items()})
    others: dict[str, Callable[[], Outcome]] = {
        FOR_THE_PEAK: lambda: cluster.fixed(most),
        "fixed, for the mean": lambda: cluster.fixed(mean),
        "load unknown for 10 min": lambda: cluster.scaled(Events(lost, UNKNOWN_S)),
        "the same, read as zero": lambda: cluster.scaled(Events(lost, UNKNOWN_S, unknown_is_zero=True)),
    }
    for name, live in others.items():
        begin(name)
        outcomes[name] = live()
    return outcomes


def main() -> int:
    """Read the command line and live through the days."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.load.autoscale_sim",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--peak", type=float, default=100.0, help="calls at once in the busiest hour")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    bar = Progress(
        TextColumn("{task.description:24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with bar:
        cluster = Cluster(given.peak, given.seed, lambda now: bar.update(bar.task_ids[-1], completed=now))
        outcomes = live_through(cluster, lambda name: bar.add_task(name, total=DAY_S))
    results = {name: figures_of(outcome) for name, outcome in outcomes.items()}
    table = to_markdown(results)
    BUILD.mkdir(exist_ok=True)
    (BUILD / "autoscale.md").write_text(table)
    (BUILD / "autoscale.json").write_text(
        json.dumps({"peak": given.peak, "seed": given.seed, **results}, indent=1)
    )
    for name, outcome in outcomes.items():
        slug = name.replace(",", "").replace(" ", "-")
        draw(outcome, cluster.shapes, name, BUILD / f"autoscale-{slug}.png")
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
