"""Measures what the simulation needs, on a stack of real models.

    python -m tests.load.autoscale_sim.measure

One caller asks short questions; then the workers' own histograms are read (`dialtone_work_seconds`), and how
long each process took to be ready. A pod on a node that has no image yet takes longer.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from dialtone.local.models import fetch_models
from dialtone.local.settings import StackSettings
from dialtone.local.state import ProcessState, read_state
from tests.bench.load import Load, play
from tests.bench.spoken import VOICE_MODEL, spoken_questions
from tests.bench.stack import BUILD, machine, running_stack
from tests.load.autoscale_sim.day import EARS, GATEWAY, LLM, TTS
from tests.load.autoscale_sim.measured import FILE

_TURNS = 20


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


def start_seconds(process: ProcessState) -> float:
    """From the start of a process until it was ready."""
    started = process.started - (time.time() - time.monotonic())
    return round(process.since - started, 1)


def measure(console: Console) -> dict[str, Any]:
    """Run the stack and a call."""
    described = machine()
    if not fetch_models([VOICE_MODEL], StackSettings().models_dir, console):
        raise FileNotFoundError(f"{VOICE_MODEL} speaks the questions")
    questions = spoken_questions(BUILD / "bench" / "questions")
    with running_stack("real", console) as stack:
        state = read_state(BUILD / "bench" / "run-real")
        assert state is not None
        processes = state.processes
        start_s = {name: start_seconds(processes[name]) for name in (GATEWAY, EARS, LLM, TTS)}
        play(stack.socket_url, Load(1, _TURNS, questions, silence_ms=500), BUILD / "bench" / "measure.json")
        work = {name: work_seconds(processes[name].url) for name in (LLM, TTS)}
    return {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "python -m tests.load.autoscale_sim.measure",
        "machine": described,
        "start_s": start_s,
        "work": work,
    }


if __name__ == "__main__":
    figures = measure(Console(stderr=True))
    FILE.write_text(json.dumps(figures, indent=1) + "\n")
