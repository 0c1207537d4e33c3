"""Measures Moshi's steps: `make bench-moshi`, or on a machine with a GPU

    make bench-moshi ARGS='--size full'

For every context and number of rows: a step and its parts, the memory of a row, and how far the step is from
the time in which the memory could move what it reads. Then a run on the clock, with callers that join, leave
and fall silent, at the largest number of rows whose p99 is below 80 ms. Writes build/bench-moshi.json and
.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from tests.moshi.bench.models import FULL, Models, build
from tests.moshi.bench.report import FRAME_MS, to_markdown
from tests.moshi.bench.steps import OutOfMemory, bandwidth, measure

_BATCHES = {"cpu": [1, 2, 4, 8, 16, 32], "cuda": [1, 8, 16, 24, 32, 40, 48, 64, 80, 96, 128]}
_BUILD = Path(__file__).resolve().parents[3] / "build"


def main() -> int:
    """Measure what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.moshi.bench", description=__doc__)
    parser.add_argument("--size", nargs="+", choices=["nano", "tiny", FULL], help="nano tiny; full on a GPU")
    parser.add_argument("--batches", type=_numbers, help="numbers of rows: 1,4,16")
    parser.add_argument("--contexts", type=_numbers, help="steps looked back on: 3000,1500,750")
    parser.add_argument("--steps", type=int, default=100, help="for each number of rows")
    parser.add_argument("--paced", type=float, default=20.0, help="seconds of the run on the clock; 0: none")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], help="default: bfloat16 on a GPU")
    given = parser.parse_args()
    device = torch.device(given.device)
    gpu = device.type == "cuda"
    if not gpu:
        torch.set_num_threads(1)
    asked = given.dtype or ("bfloat16" if gpu else "float32")
    dtype = torch.bfloat16 if asked == "bfloat16" else torch.float32
    figures: dict[str, Any] = {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(device),
        "dtype": str(dtype).removeprefix("torch."),
        "sizes": {},
    }
    _say("memory bandwidth")
    figures["bandwidth"] = bandwidth(device)
    _BUILD.mkdir(exist_ok=True)
    for size in given.size or ([FULL] if gpu else ["nano", "tiny"]):
        _say(f"{size}: making the model")
        models = build(size, device, dtype)
        batches = given.batches or _BATCHES[device.type]
        contexts = given.contexts or ([3000, 1500, 750] if size == FULL else [models.lm.context])
        figures["sizes"][size] = {
            str(context): _of_context(models, context, batches, given.steps, given.paced, size)
            for context in contexts
        }
        # After each size: a run that is ended early leaves what it has.
        (_BUILD / "bench-moshi.json").write_text(json.dumps(figures, indent=1) + "\n")
        (_BUILD / "bench-moshi.md").write_text(to_markdown(figures))
        del models
    _say(f"written: {_BUILD / 'bench-moshi.json'} and .md\n")
    return 0


def _of_context(
    models: Models, context: int, batches: list[int], steps: int, seconds: float, size: str
) -> dict[str, Any]:
    models.look_back(context)
    rows_of: list[dict[str, Any]] = []
    out_of_memory: int | None = None
    for rows in batches:
        label = f"{size}, context {context}, {rows} rows"
        try:
            rows_of.append(measure(models, rows, steps, _progress(f"{label}: step", steps)))
        except OutOfMemory:
            _say(f"{label}: out of memory\n")
            out_of_memory = rows
            break
        _say(f"{label}: {rows_of[-1]['step_ms']['p50']} ms, p99 {rows_of[-1]['step_ms']['p99']} ms\n")
    fits = [one["rows"] for one in rows_of if one["step_ms"]["p99"] < FRAME_MS]
    on_the_clock = None
    if seconds and fits:
        # Here, for it needs more of the project than the steps do.
        from tests.moshi.bench.paced import paced

        _say(f"{size}, context {context}: {seconds:g} s on the clock with {max(fits)} rows\n")
        progress = _progress("second", round(seconds))
        on_the_clock = asyncio.run(paced(models, max(fits), seconds, lambda at: progress(round(at))))
    return {
        "steps": rows_of,
        "largest": max(fits, default=None),
        "out_of_memory": out_of_memory,
        "paced": on_the_clock,
    }


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _machine(device: torch.device) -> dict[str, Any]:
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    gpu = torch.cuda.get_device_properties(device) if device.type == "cuda" else None
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "gpu": gpu.name if gpu else None,
        "gpu_memory": gpu.total_memory if gpu else None,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _progress(what: str, total: int) -> Callable[[int], None]:
    def show(done: int) -> None:
        if sys.stderr.isatty() and (done % 10 == 0 or done >= total):
            _say(f"{what} {done}/{total}")

    return show


def _say(line: str) -> None:
    """One line that is written over, for a person; lines of their own where nobody watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line}")
    else:
        sys.stderr.write(line if line.endswith("\n") else f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
