"""Calls over a whole stack go the same way when they are run again, fuzzed ones as well."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from dialtone.gateway.core.recording import read_frames
from dialtone.gateway.core.rerun import CallRerun
from dialtone.gateway.replay import Replay

from .target import Target
from .witness import Witness


def call_of(target: Target, *, turns: int) -> Witness:
    with target.unharmed() as witness:
        deadline = time.monotonic() + 60
        while witness.turns < turns and time.monotonic() < deadline:
            time.sleep(0.05)
    assert witness.turns >= turns
    return witness


def recorded_since(target: Target, before: set[Path]) -> list[Path]:
    return sorted(set(target.recordings.iterdir()) - before)


def test_a_call_goes_the_same_way_again_to_the_byte(target: Target) -> None:
    before = set(target.recordings.iterdir())
    witness = call_of(target, turns=2)
    (recording,) = recorded_since(target, before)
    assert frames_of(recording)[: len(witness.frames)] == witness.frames
    command = [sys.executable, "-m", "dialtone.gateway.replay", str(recording)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.startswith("the same: "), ran.stdout


def frames_of(recording: Path) -> list[str]:
    with recording.open("rb") as file:
        replay = Replay(CallRerun(read_frames(file)))
        return [str(frame) for rerun, frames in replay.steps() for frame in frames if not rerun.difference]


def test_every_call_that_was_made_here_goes_the_same_way_again(target: Target) -> None:
    call_of(target, turns=1)  # at least
    for recording in target.recordings.iterdir():
        with recording.open("rb") as file:
            for rerun in CallRerun(read_frames(file)).steps():
                assert not rerun.difference, (recording, rerun.difference)
                assert not rerun.step.raised, (recording, rerun.step)
