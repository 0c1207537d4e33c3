"""Moshi workers as processes: killed, frozen, asked to leave, with an engine that fails or does not load."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.contract.bus.call_side import until
from tests.contract.worker.test_process import ROOT, WorkerProcess
from tests.fixtures.nats import NatsServer
from tests.llm.moshi.moshi_call import MoshiCall, silence

StartMoshi = Callable[..., Awaitable[WorkerProcess]]


@pytest.fixture
async def start_moshi(nats_server: NatsServer) -> AsyncIterator[StartMoshi]:
    started: list[WorkerProcess] = []

    async def start(module: str = "dialtone.llm.moshi", **environment: str) -> WorkerProcess:
        given = {"NATS_URL": nats_server.url, "HTTP_PORT": "0", "STAGES": "simulated", "MOSHI_SLOTS": "2"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module),
            cwd=ROOT,
            env={**os.environ, **given, **environment},
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(WorkerProcess(process))
        return started[-1]

    yield start
    for worker in started:
        await worker.end()


async def _ready(*workers: WorkerProcess) -> None:
    await until(lambda: all(worker.logged("ready") for worker in workers), "ready", timeout=60)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_the_leg_of_a_lost_worker_goes_on_with_another(
    call: MoshiCall, start_moshi: StartMoshi, number: signal.Signals
) -> None:
    lost, other = await start_moshi(), await start_moshi()
    await _ready(lost, other)
    await call.start()
    holder = call.side.of("claim")[0].claim.worker_id
    if holder.endswith(f"-{other.process.pid}"):
        lost, other = other, lost
    await call.ask()
    await call.has("saying_audio")
    os.kill(lost.process.pid, number)
    await until(lambda: call.side.attempts(call.lease_id) == [0, 1], "the second claim", timeout=30)
    assert call.side.of("claim")[-1].claim.worker_id.endswith(f"-{other.process.pid}")
    if number is signal.SIGSTOP:
        os.kill(lost.process.pid, signal.SIGCONT)
    await call.repeat(1)
    await call.say(silence(3.0))
    await call.put(end={})
    await call.has("leg_done")
    assert call.bodies(1)[-2:] == ["saying_stopped", "leg_done"]
    assert call.text(2) == "This is simulated answer 1."
    if number is signal.SIGSTOP:
        await until(lambda: lost.logged("lease lost") is not None, "that it sees it")
        assert not {"saying_stopped", "leg_done"} & set(call.bodies(0))  # it does not go on


async def test_a_worker_that_is_asked_to_leave_hands_its_calls_over_and_ends(
    call: MoshiCall, start_moshi: StartMoshi
) -> None:
    leaving = await start_moshi()
    await _ready(leaving)
    await call.start()
    await call.ask()
    await call.has("saying_audio")
    leaving.process.terminate()
    await call.has("released")
    assert await asyncio.wait_for(leaving.process.wait(), 20) == 0
    other = await start_moshi()
    await until(lambda: call.side.attempts(call.lease_id) == [0, 1], "the second claim", timeout=60)
    assert call.side.of("claim")[-1].claim.worker_id.endswith(f"-{other.process.pid}")


async def test_a_worker_whose_engine_fails_gives_its_calls_away_and_exits(
    call: MoshiCall, start_moshi: StartMoshi
) -> None:
    failing = await start_moshi("tests.llm.moshi.failing")
    await _ready(failing)
    await call.start()
    await call.ask()
    await call.say(silence(1.0))
    await call.has("failed")
    failed = call.side.of("failed")[0].failed
    assert (failed.error.code, failed.error.retryable, failed.final) == ("engine_failed", True, False)
    assert await asyncio.wait_for(failing.process.wait(), 20) == 1
    assert failing.logged("the engine cannot go on") is not None
    assert call.side.attempts(call.lease_id) == [0]  # it takes nothing while it ends
    await start_moshi()
    await until(lambda: len(call.side.attempts(call.lease_id)) == 2, "the second claim", timeout=60)


async def test_a_pool_that_is_not_the_variants_is_refused_at_the_start(start_moshi: StartMoshi) -> None:
    wrong = await start_moshi(POOL="base")
    assert await asyncio.wait_for(wrong.process.wait(), 30) == 1
    right = await start_moshi(MOSHI_VARIANT="base", POOL="base")
    await _ready(right)
