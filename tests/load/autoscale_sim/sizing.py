"""How large a deployment has to be: what docs/operations.md says of it, reckoned from what was measured.

By Little's law the pieces of work in progress are those that begin in a second times the seconds that each
takes; a pod is to have the load of its scaling target (`lagThreshold`, `threshold`).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import markdown_table
from tests.load.autoscale_sim.cluster import read_policies, requested_cores
from tests.load.autoscale_sim.day import EARS, GATEWAY, LLM, TTS
from tests.load.autoscale_sim.demand import SENTENCES, TURN_S
from tests.load.autoscale_sim.measured import FILE, Measured, read_measured
from tests.load.autoscale_sim.policy import Policy

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
EXAMPLE_CALLS = 100
PIECES = {GATEWAY: "second of a call", EARS: "second of a call", LLM: "answer", TTS: "sentence"}


@dataclass(frozen=True, slots=True)
class Size:
    """What a deployment needs for so many calls."""

    load: float
    """Pieces of work in progress."""
    pods: int
    cores: float
    """That they keep busy, on average."""


def per_second(name: str, calls: float) -> float:
    """Pieces of work of a deployment that begin in a second; legs are counted by the second of call."""
    turns = calls / TURN_S
    return {LLM: turns, TTS: turns * SENTENCES}.get(name, calls)


def size(name: str, calls: float, measured: Measured, policy: Policy) -> Size:
    """For so many calls at once."""
    begin = per_second(name, calls)
    load = begin * measured.work[name].mean if name in measured.work else calls
    pods = max(policy.least, math.ceil(load / policy.target))
    return Size(load, pods, begin * measured.use[name].cpu_s + pods * measured.use[name].idle_cores)


def tables(path: Path = FILE) -> str:
    """In Markdown: what was measured, and an example."""
    measured, policies, raw = read_measured(path), read_policies(), json.loads(path.read_text())
    machine = raw["machine"]
    used = [
        (
            name,
            measured.start_s[name],
            measured.use[name].idle_mib,
            measured.use[name].most_mib,
            f"{measured.use[name].idle_cores:.3f}",
            PIECES[name],
            *_times(name, measured),
            f"{measured.use[name].cpu_s:.3f}",
        )
        for name in PIECES
    ]
    sizes = {name: size(name, EXAMPLE_CALLS, measured, policies[name]) for name in PIECES}
    needed = [
        (
            name,
            f"{one.load:.0f}",
            f"{policies[name].target:g}",
            one.pods,
            f"{one.cores:.1f}",
            f"{one.cores / one.pods:.1f}",
            f"{requested_cores(name):g}",
            f"{EXAMPLE_CALLS / one.cores:.0f}",
        )
        for name, one in sizes.items()
    ]
    return "\n".join(
        [
            f"Measured {raw['taken'][:10]} on {machine['cores']} cores ({machine['cpu']}; load before it "
            f"{machine['load_before'][0]:g}), {raw['call']['turns']} turns of one call, the default "
            "models on the processor:\n",
            markdown_table(
                (
                    *("", "ready, s", "at rest, MiB", "most, MiB", "at rest, cores"),
                    *("a piece", "p50, s", "p95, s", "core s"),
                ),
                used,
            ),
            f"{EXAMPLE_CALLS} calls at once, a turn each {TURN_S:g} s, {SENTENCES:g} sentences an answer:\n",
            markdown_table(
                ("", "load", "load a pod", "pods", "cores busy", "a pod", "it has", "calls a core"), needed
            ),
        ]
    )


def _times(name: str, measured: Measured) -> tuple[str, str]:
    work = measured.work.get(name)
    return (f"{work.quantile(0.5):.1f}", f"{work.quantile(0.95):.1f}") if work else ("-", "-")


def with_tables(text: str, written: str) -> str:
    """The document with these tables in their place. Raises ValueError when it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no place for the tables: {BEGIN.strip()} ... {END.strip()}")
    return f"{before}{begin}\n{written}\n{end}{after}"


def write_tables(document: Path = DOCUMENT, figures: Path = FILE) -> None:
    """Write them into the document."""
    document.write_text(with_tables(document.read_text(), tables(figures)))
