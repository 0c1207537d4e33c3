"""Locust itself, on a stack of simulated stages."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from dialtone.local.state import StackState
from tests.load.limits import OPENING, TURN, V2V

pytestmark = pytest.mark.models  # the questions are spoken by one


def locust(stack: StackState, question: Path, out: Path, *options: str) -> int:
    """Two callers at once; the exit status."""
    command = [sys.executable, "-m", "locust", "-f", "tests/load/locustfile.py", "--headless"]
    command += ["--host", stack.url, "-u", "2", "-r", "2", "--stop-timeout", "0", "--csv", str(out)]
    command += ["--question", str(question), "--silence-ms", "200", "--voice-call-share", "0.5"]
    return subprocess.run([*command, *options], timeout=60, check=False).returncode


def rows(out: Path) -> dict[str, int]:
    """How often each measure was taken."""
    found: dict[str, int] = {}
    with Path(f"{out}_stats.csv").open() as file:
        for row in csv.DictReader(file):
            found[row["Name"]] = found.get(row["Name"], 0) + int(row["Request Count"])
    return found


def test_calls_are_placed_and_their_turns_measured(
    stack: StackState, short_question: Path, tmp_path: Path
) -> None:
    # A machine with much else to do may make an answer late: that is not what this is about.
    status = locust(
        stack, short_question, tmp_path / "load", "-t", "8s", "--failed", "1", "--gap-p95-ms", "0"
    )
    assert status == 0
    taken = rows(tmp_path / "load")
    assert taken[OPENING] >= 2
    assert taken[TURN] >= 1
    assert taken[V2V] >= 1


def test_a_run_in_which_nothing_was_measured_fails(
    stack: StackState, short_question: Path, tmp_path: Path
) -> None:
    assert locust(stack, short_question, tmp_path / "load", "-t", "1s") == 1
