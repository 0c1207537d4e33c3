"""The day in pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no screen is needed

from matplotlib import pyplot as plt

from tests.load.autoscale_sim.day import SAMPLE_S, Outcome
from tests.load.autoscale_sim.fleet import Shape


def draw(outcome: Outcome, shapes: Mapping[str, Shape], title: str, path: Path) -> None:
    """A row for each deployment: its load, and the slots of the pods that are ready for it."""
    figure, axes = plt.subplots(len(outcome.traces), 1, figsize=(11, 2.4 * len(outcome.traces)), sharex=True)
    for axis, (name, trace) in zip(axes, outcome.traces.items(), strict=True):
        hours = [number * SAMPLE_S / 3600 for number in range(len(trace.load))]
        slots = shapes[name].slots
        axis.fill_between(
            hours, [pods * slots for pods in trace.ready], step="post", alpha=0.25, label="slots"
        )
        axis.plot(hours, trace.load, linewidth=0.8, label="load")
        axis.set_ylabel(name)
        pods = axis.twinx()
        pods.step(hours, trace.pods, where="post", color="tab:red", linewidth=0.8)
        pods.set_ylabel("pods", color="tab:red")
        pods.set_ylim(0, max(trace.pods) * 1.2)
    axes[0].legend(loc="upper left")
    axes[0].set_title(title)
    axes[-1].set_xlabel("hour of the day")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
