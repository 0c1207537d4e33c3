"""A worker that the kernel kills for its memory comes back, each time a little later, and not for ever."""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dialtone.local import supervisor
from dialtone.local.plan import StackPlan, make_plan
from dialtone.local.settings import StackSettings
from dialtone.local.supervisor import StackFailed
from tests.fixtures.memory_group import memory_group
from tests.local.test_supervisor import SERVE, program, supervised

LIMIT_BYTES = 300 * 2**20
BACK_S = 5.0
RUNS_ONCE = """
import os, pathlib, sys
marker = pathlib.Path(sys.argv[2])
if marker.exists():
    os.kill(os.getpid(), 9)
marker.touch()
"""


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    return StackSettings(port=0, run_dir=tmp_path / "run", start_timeout_s=60, stages="simulated")


@pytest.fixture
def plan(settings: StackSettings) -> StackPlan:
    return replace(make_plan(settings), gateway=program("gateway"))


@pytest.mark.chaos
async def test_ears_that_run_out_of_memory_are_back_within_seconds(
    settings: StackSettings, plan: StackPlan
) -> None:
    ears = next(worker for worker in plan.workers if worker.name == "vad-asr")
    with memory_group(LIMIT_BYTES) as group:
        command = (sys.executable, "-m", "tests.local.hungry_ears", str(group.joined))
        hungry = replace(ears, command=command)
        async with supervised(settings, replace(plan, workers=(hungry,))) as running:
            worker = running.state.processes["vad-asr"]
            await running.until(lambda: running.state.phase == "ready")
            for kill in (1, 2):
                before = worker.pid
                os.kill(before, signal.SIGUSR1)
                await running.until(lambda: worker.condition == "restarting")
                killed_at = time.monotonic()
                await running.until(lambda: worker.condition == "ready")
                assert time.monotonic() - killed_at < BACK_S
                assert worker.pid != before
                assert (group.kills, worker.restarts) == (kill, kill)
            assert running.state.phase == "ready"


async def test_a_worker_that_dies_each_time_is_given_up_after_five(
    settings: StackSettings, plan: StackPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_BACKOFF_S", 0.02)
    doomed = program("worker", RUNS_ONCE + SERVE, kind=str(tmp_path / "ran"))
    async with supervised(settings, replace(plan, workers=(doomed,))) as running:
        await running.until(lambda: running.state.phase == "ready")
        os.kill(running.state.processes["worker"].pid, signal.SIGKILL)
        with pytest.raises(StackFailed, match="worker was ended by signal 9 for the 6th time in short order"):
            await running.task
    assert running.state.processes["worker"].restarts == 5
