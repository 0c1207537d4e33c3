"""A lane that is told to end takes with it all that it has started."""

from __future__ import annotations

import asyncio
import signal
import sys

import psutil
import pytest

from tests.chaos.__main__ import INTERRUPTED
from tests.chaos.machines import ROLES, ROOT, WORKERS_EACH
from tests.fixtures.waiting import eventually

SERVERS = {"nats-server", "valkey-server"}
PROCESSES = len(SERVERS) + len(ROLES) * WORKERS_EACH + 1
STARTED_S, ENDED_S = 60.0, 60.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
async def test_a_lane_that_is_told_to_end_leaves_no_process(number: signal.Signals) -> None:
    lane = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos", "rolling", "--calls", "1", "--service", "tts"),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    started: list[psutil.Process] = []

    async def all_started() -> bool:
        assert lane.returncode is None
        started[:] = psutil.Process(lane.pid).children(recursive=True)
        return len(started) >= PROCESSES and {process.name() for process in started} >= SERVERS

    try:
        await eventually(all_started, within_s=STARTED_S)
        lane.send_signal(number)
        async with asyncio.timeout(ENDED_S):
            assert await lane.wait() == INTERRUPTED
        assert [process for process in started if process.is_running()] == []
    finally:
        for process in started:
            if process.is_running():
                process.kill()
        if lane.returncode is None:
            lane.kill()
            await lane.wait()
