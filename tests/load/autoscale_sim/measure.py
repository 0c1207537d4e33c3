"""Measures what the simulation and the sizing of a deployment need, on a stack of real models.

    python -m tests.load.autoscale_sim.measure

One caller asks short questions; then the workers' own histograms are read (`dialtone_work_seconds`), what
each process used meanwhile, and how long it took to be ready. A pod on a node without its image takes longer.
Written to measured.json beside this file, and from there to docs/operations.md (with --tables, that alone).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from dialtone.local.models import fetch_models
from dialtone.local.settings import StackSettings
from dialtone.local.state import ProcessState, read_state
from tests.bench.load import Load, play
from tests.bench.sampling import Sampler, sample
from tests.bench.spoken import VOICE_MODEL, spoken_questions
from tests.bench.stack import BUILD, machine, running_stack
from tests.load.autoscale_sim.day import EARS, GATEWAY, LLM, TTS
from tests.load.autoscale_sim.measured import FILE
from tests.load.autoscale_sim.sizing import write_tables

_SERVICES = (GATEWAY, EARS, LLM, TTS)
_FOLDER = BUILD / "bench"
_MOST_FAILED = 0.2
_REST_S = 10.0  # in which it is looked at what processes use without a call
_MIB = 2**20


class NotMeasured(Exception):
    """The stack did not do what is to be measured; nothing was written."""


def work_seconds(url: str) -> dict[str, list[float]]:
    """A worker's histogram of work that ended well: bounds, without the infinite one, and counts."""
    text = httpx.get(f"{url}/metrics", trust_env=False).raise_for_status().text
    buckets = {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "dialtone_work_seconds_bucket" and sample.labels["result"] == "done"
    }
    bounds = sorted(bound for bound in buckets if bound != float("inf"))
    return {"bounds": bounds, "counts": [int(buckets[bound]) for bound in bounds]}


def since(before: dict[str, list[float]], now: dict[str, list[float]]) -> dict[str, list[float]]:
    """What came to a histogram since. Raises NotMeasured when that is nothing."""
    earlier = before["counts"] or [0] * len(now["counts"])
    counts = [late - early for early, late in zip(earlier, now["counts"], strict=True)]
    if not counts or not counts[-1]:
        raise NotMeasured("a worker has done nothing")
    return {"bounds": now["bounds"], "counts": counts}


def start_seconds(process: ProcessState) -> float:
    """From the start of a process until it was ready."""
    started = process.started - (time.time() - time.monotonic())
    return round(process.since - started, 1)


def measure(turns: int, console: Console) -> dict[str, Any]:
    """Run the stack and a call. Raises NotMeasured."""
    described = machine()
    if not fetch_models([VOICE_MODEL], StackSettings().models_dir, console):
        raise FileNotFoundError(f"{VOICE_MODEL} speaks the questions")
    questions = spoken_questions(_FOLDER / "questions")
    with running_stack("real", console) as stack:
        state = read_state(_FOLDER / "run-real")
        assert state is not None
        processes = {name: state.processes[name] for name in _SERVICES}
        pids = {name: process.pid for name, process in processes.items()}
        _play(stack.socket_url, 1, questions)  # what the first turn of a process brings about is not measured
        before = {name: work_seconds(processes[name].url) for name in (LLM, TTS)}
        resting = sample(pids)
        time.sleep(_REST_S)
        first = sample(pids)
        at_rest = {name: (first[name].cpu_s - one.cpu_s) / _REST_S for name, one in resting.items()}
        console.print(f"{turns} turns of one call", highlight=False)
        with Sampler(pids) as sampler:
            began = time.monotonic()
            failed = _play(stack.socket_url, turns, questions)
            seconds = time.monotonic() - began
        used = {
            name: max(0.0, one.cpu_s - first[name].cpu_s - at_rest[name] * seconds)
            for name, one in sample(pids).items()
        }
        most = sampler.most_rss()
        work = {name: since(before[name], work_seconds(processes[name].url)) for name in (LLM, TTS)}
    if failed > _MOST_FAILED * turns:
        raise NotMeasured(f"{failed} of {turns} turns failed")
    pieces = {name: work[name]["counts"][-1] if name in work else seconds for name in _SERVICES}
    return {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python -m tests.load.autoscale_sim.measure",
        "machine": described,
        "call": {"turns": turns, "failed": failed, "seconds": round(seconds, 1)},
        "start_s": {name: start_seconds(process) for name, process in processes.items()},
        "use": {
            name: {
                "idle_mib": round(first[name].rss / _MIB),
                "most_mib": round(most[name] / _MIB),
                "idle_cores": round(at_rest[name], 4),
                "cpu_s": round(used[name] / pieces[name], 4),
            }
            for name in _SERVICES
        },
        "work": work,
    }


def _play(url: str, turns: int, questions: Sequence[Path]) -> int:
    """A call of so many turns after the first; how many failed."""
    result: Mapping[str, Any] = play(url, Load(1, turns, questions, silence_ms=500), _FOLDER / "measure.json")
    return sum(bool(turn["failure"]) for turn in result["turns"] if turn["turn"] > 0)


def main() -> None:
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--tables", action="store_true", help="only write the tables of docs/operations.md")
    given = parser.parse_args()
    if not given.tables:
        figures = measure(given.turns, Console(stderr=True))
        whole = FILE.with_suffix(".part")
        whole.write_text(json.dumps(figures, indent=1) + "\n")
        whole.replace(FILE)
    write_tables()


if __name__ == "__main__":
    main()
