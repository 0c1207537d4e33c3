"""Lives through a day of calls with the autoscaler as it is deployed, and with fleets that stay as they are.

    python -m tests.load.autoscale_sim --peak 100

At half past two the fullest node of each deployment is lost; at a quarter past four twice as many call,
for ten minutes; in two of the runs the load is not known for ten minutes at the day's peak. Written to
build/autoscale.json, build/autoscale.md and build/autoscale-*.png.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.bench.figures import markdown_table
from tests.bench.stack import BUILD
from tests.load.autoscale_sim.cluster import read_policies, read_shapes
from tests.load.autoscale_sim.day import Day, Events, Outcome
from tests.load.autoscale_sim.demand import day_of_calls
from tests.load.autoscale_sim.fleet import Shape
from tests.load.autoscale_sim.measured import Measured, read_measured
from tests.load.autoscale_sim.plots import draw
from tests.load.autoscale_sim.policy import Policy

NODE_LOST_S = 14.5 * 3600
UNKNOWN_S = (10 * 3600.0, 10 * 3600.0 + 600)


class Cluster:
    """The same day on different fleets."""

    def __init__(self, peak: float, seed: int) -> None:
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
        day = Day(self.shapes, pods, policies, self.measured, events, dice)
        return day.run(day_of_calls(self._peak, random.Random(self._seed)))


def figures_of(outcome: Outcome) -> dict[str, Any]:
    """For JSON and for the tables."""
    stages = {}
    for name, trace in outcome.traces.items():
        waits = np.asarray(outcome.waits_s[name] or [0.0]) * 1e3
        stages[name] = {
            "work": len(outcome.waits_s[name]),
            "refused": outcome.refused_work[name],
            "waited": round(float((waits > 0).mean()), 5),
            "wait_ms": {
                "p95": round(float(np.percentile(waits, 95)), 1),
                "p99": round(float(np.percentile(waits, 99)), 1),
                "p99.9": round(float(np.percentile(waits, 99.9)), 1),
                "max": round(float(waits.max()), 1),
            },
            "pods": [min(trace.pods), max(trace.pods)],
            "pod_hours": round(trace.pod_hours, 1),
            "node_hours": round(trace.node_hours, 1),
        }
    return {"calls": outcome.calls, "refused_calls": outcome.refused_calls, "stages": stages}


def to_markdown(results: Mapping[str, dict[str, Any]]) -> str:
    """A table of the fleets, and one of their deployments."""
    fleets, stages = [], []
    for name, result in results.items():
        each = result["stages"]
        fleets.append(
            (
                name,
                result["calls"],
                result["refused_calls"],
                sum(one["refused"] for one in each.values()),
                round(sum(one["pod_hours"] for one in each.values())),
                round(sum(one["node_hours"] for one in each.values())),
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
                ("fleet", "calls", "calls refused", "work refused", "pod hours", "node hours"), fleets
            ),
            "Waits of work for a slot, ms:\n",
            markdown_table(
                ("deployment", "pods", "work", "refused", "waited", "p99", "p99.9", "max"), stages
            ),
        ]
    )


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
    cluster = Cluster(given.peak, given.seed)
    lost = NODE_LOST_S
    outcomes = {"autoscaled": cluster.scaled(Events(lost))}
    traces = outcomes["autoscaled"].traces
    most = cluster.pods_for({name: max(trace.load) for name, trace in traces.items()})
    mean = cluster.pods_for({name: float(np.mean(trace.load)) for name, trace in traces.items()})
    outcomes |= {
        "fixed, for the peak": cluster.fixed(most),
        "fixed, for the mean": cluster.fixed(mean),
        "load unknown for 10 min": cluster.scaled(Events(lost, UNKNOWN_S)),
        "the same, read as zero": cluster.scaled(Events(lost, UNKNOWN_S, unknown_is_zero=True)),
    }
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
