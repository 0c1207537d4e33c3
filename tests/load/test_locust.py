"""Locust itself, on a stack of simulated stages."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dialtone.local.state import StackState
from tests.load.limits import HANG_UP, OPENING, TURN, V2V

pytestmark = pytest.mark.models  # the questions are spoken by one


def locust(stack: StackState, question: Path, out: Path, *options: str) -> tuple[int, list[str]]:
    """Two callers at once; the exit status, and the last words."""
    command = [sys.executable, "-m", "locust", "-f", "tests/load/locustfile.py", "--headless"]
    command += ["--host", stack.url, "-u", "2", "-r", "2", "--stop-timeout", "0", "--csv", str(out)]
    command += ["--question", str(question), "--silence-ms", "200", "--voice-call-share", "0.5"]
    command += ["--html", f"{out}.html", "--late-frames", "1", "--gap-p95-ms", "0", "--failed", "1"]
    done = subprocess.run([*command, *options], timeout=60, check=False, stderr=subprocess.PIPE, text=True)
    said = done.stderr.splitlines()
    return done.returncode, [line for line in said[-4:] if line.startswith("limit: ")]


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
    assert locust(stack, short_question, tmp_path / "load", "-t", "8s") == (0, [])
    taken = rows(tmp_path / "load")
    assert taken[OPENING] >= 2
    assert taken[TURN] >= 1
    assert taken[V2V] >= 1
    assert V2V in (tmp_path / "load.html").read_text()
    generator = json.loads((tmp_path / "load_generator.json").read_text())
    assert generator["calls"] == 2
    assert generator["frames"] > 100
    assert 0 < generator["talker_cores"] < 1


def test_past_a_limit_a_run_fails_and_says_which(
    stack: StackState, short_question: Path, tmp_path: Path
) -> None:
    status, (said,) = locust(stack, short_question, tmp_path / "load", "-t", "7s", "--v2v-p95-ms", "1")
    assert status == 1
    assert said.startswith("limit: voice to voice: p95 is ")


def test_a_run_in_which_all_hang_up_before_they_are_answered_has_measured_nothing(
    stack: StackState, short_question: Path, tmp_path: Path
) -> None:
    options = ("-t", "7s", "--turns", "1", "--hang-up", "1")
    assert locust(stack, short_question, tmp_path / "load", *options) == (1, ["limit: no turn was answered"])
    taken = rows(tmp_path / "load")
    assert taken[HANG_UP] >= 1
    assert TURN not in taken
