"""Starts the client process and brings its results back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dialtone.local.settings import checkout


@dataclass(frozen=True, slots=True)
class Load:
    """So many calls at once, each with so many measured turns (and one before them)."""

    calls: int
    turns: int
    questions: Sequence[Path]
    silence_ms: int | None = None  # None: the session's default
    spread_s: float = 0.0  # over which the calls begin
    seed: int = 1


def play(url: str, load: Load, out: Path) -> dict[str, Any]:
    """Run it against the gateway at `url` (ws://) and return what the client wrote to `out`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.bench.client", "--url", url, "--out", str(out)]
    command += ["--calls", str(load.calls), "--turns", str(load.turns)]
    command += ["--seed", str(load.seed), "--spread", str(load.spread_s)]
    if load.silence_ms is not None:
        command += ["--silence-ms", str(load.silence_ms)]
    for question in load.questions:
        command += ["--question", str(question)]
    subprocess.run(command, check=True, cwd=checkout())
    result: dict[str, Any] = json.loads(out.read_text())
    return result
