"""The whole stack around simulated stages: what everything but the models costs.

Floor of a turn: 200 ms of silence end it, ASR answers 100 ms later, the first sentence is complete 150 ms
after that, its first audio comes 50 ms later: 500 ms. Overhead is v2v minus the floor.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from dialtone.local.models import fetch_models
from dialtone.local.settings import StackSettings
from tests.bench.figures import markdown_table, summary
from tests.bench.load import Load, play
from tests.bench.question import load_question
from tests.bench.sampling import Sampler, sample
from tests.bench.spoken import VOICE_MODEL, spoken_questions
from tests.bench.stack import BUILD, RunningStack, machine, running_stack

FLOOR_MS = 500.0
SILENCE_MS = 200
_TURN_S = 10.0  # about what one takes; callers begin spread over it
_LONGEST_PAUSE_MS = 120


@dataclass(frozen=True, slots=True)
class Level:
    """So many calls at once, each with so many measured turns."""

    calls: int
    turns: int


LEVELS = (Level(1, 30), Level(5, 10), Level(10, 6), Level(20, 5), Level(40, 4), Level(80, 4))
QUICK_LEVELS = (Level(1, 4), Level(5, 2))


def run_simulated(levels: tuple[Level, ...], seed: int, console: Console) -> dict[str, Any]:
    """Measure each level on one stack and return the figures."""
    questions = simulated_questions(console)
    described = machine()
    with running_stack("simulated", console) as stack:
        play(stack.socket_url, _load(Level(2, 1), questions, seed), BUILD / "bench" / "warmup.json")
        time.sleep(1.0)
        idle = {name: one.rss for name, one in sample(stack.pids).items()}
        results = []
        for level in levels:
            console.print(f"simulated stages: {level.calls} calls, {level.turns} turns each", highlight=False)
            results.append(_measure(stack, level, questions, seed, idle))
            console.print(f"  {_in_words(results[-1])}", highlight=False)
    return {
        "machine": described,
        "floor_ms": FLOOR_MS,
        "silence_ms": SILENCE_MS,
        "questions": [path.stem for path in questions],
        "seed": seed,
        "idle_rss_mib": {name: round(rss / 2**20, 1) for name, rss in idle.items()},
        "levels": results,
    }


def simulated_questions(console: Console) -> list[Path]:
    """Questions in the project's own voice, without a pause that could be taken for their end."""
    if not fetch_models([VOICE_MODEL], StackSettings().models_dir, console):
        raise FileNotFoundError(f"{VOICE_MODEL} speaks the questions")
    paths = spoken_questions(BUILD / "bench" / "questions")
    fit = [path for path in paths if load_question(path).longest_pause_ms <= _LONGEST_PAUSE_MS]
    if not fit:
        raise ValueError("every question has a pause in it")
    return fit


def _load(level: Level, questions: Sequence[Path], seed: int) -> Load:
    spread_s = _TURN_S if level.calls > 1 else 0.0
    return Load(level.calls, level.turns, questions, silence_ms=SILENCE_MS, spread_s=spread_s, seed=seed)


def _measure(
    stack: RunningStack, level: Level, questions: Sequence[Path], seed: int, idle: Mapping[str, int]
) -> dict[str, Any]:
    with Sampler(stack.pids) as sampler:
        load = _load(level, questions, seed)
        raw = play(stack.socket_url, load, BUILD / "bench" / f"simulated-{level.calls}.json")
    start, end = raw["steady"]
    cpu = sampler.cpu_share(start, end)
    rss = sampler.rss(end - 1.0)
    return {
        "calls": level.calls,
        **summary(raw["turns"], floor_ms=FLOOR_MS),
        "steady_s": round(end - start, 1),
        "cpu_share": {**cpu, "all": round(sum(cpu.values()), 4), "client": raw["client"]["cpu_share"]},
        "rss_growth_per_call_kib": {
            name: round((rss[name] - idle[name]) / 1024 / level.calls) for name in rss if name in idle
        },
        "client": raw["client"],
    }


def _in_words(level: dict[str, Any]) -> str:
    overhead = level["overhead_ms"]
    return (
        f"overhead p50 {overhead.get('p50')} p95 {overhead.get('p95')} p99 {overhead.get('p99')} ms; "
        f"{level['turns']} turns, {level['failed']} failed, {level['late_turns']} with late audio; "
        f"{level['cpu_share']['all']:.2f} cores"
    )


def to_markdown(figures: dict[str, Any]) -> str:
    """The tables of `run_simulated`."""
    levels = figures["levels"]
    head = (
        "calls",
        "turns",
        "failed",
        "p50",
        "p95",
        "p99",
        "max",
        "turns with late audio",
        "client late p99",
    )
    rows = [
        (
            level["calls"],
            level["turns"],
            level["failed"],
            *(level["overhead_ms"].get(name) for name in ("p50", "p95", "p99", "max")),
            level["late_turns"],
            level["client"]["late_ms"].get("p99"),
        )
        for level in levels
    ]
    names = list(levels[0]["cpu_share"]) if levels else []
    cpu = [
        (level["calls"], *(f"{level['cpu_share'].get(n, 0) * 100:.1f}" for n in names)) for level in levels
    ]
    grown = list(levels[0]["rss_growth_per_call_kib"]) if levels else []
    memory = [(level["calls"], *(level["rss_growth_per_call_kib"].get(n) for n in grown)) for level in levels]
    return "\n".join(
        [
            "## Simulated stages\n",
            f"Overhead = v2v - {figures['floor_ms']:.0f} ms, ms; the first turn of a call is left out.\n",
            markdown_table(head, rows),
            "CPU, % of one core:\n",
            markdown_table(("calls", *names), cpu),
            "Memory, KiB a call above the warm, idle stack:\n",
            markdown_table(("calls", *grown), memory),
        ]
    )
