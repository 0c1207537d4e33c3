"""Work that breaks its model ends by itself; the worker's other work, and the other workers, go on."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import psutil
import pytest

from dialtone.bus import Bus, Stage
from dialtone.v1.turn_pb2 import LlmTurn
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.queue_state import QueueState
from tests.contract.worker.test_process import ROOT, WorkerProcess
from tests.fixtures.nats import NatsServer

StartWorkers = Callable[..., Awaitable[list[WorkerProcess]]]


@pytest.fixture
async def start_workers(nats_server: NatsServer) -> AsyncIterator[StartWorkers]:
    started: list[WorkerProcess] = []

    async def start(count: int, **environment: str) -> list[WorkerProcess]:
        environment = {**os.environ, "NATS_URL": nats_server.url, "HTTP_PORT": "0", **environment}
        command = [sys.executable, "-m", "tests.contract.worker.fenced"]
        for _ in range(count):
            process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
            )
            started.append(WorkerProcess(process))
        await until(lambda: all(worker.logged("ready") for worker in started), "ready", timeout=60)
        return started

    yield start
    for worker in started:
        await worker.end()


@pytest.fixture
async def call(bus: Bus) -> AsyncIterator[CallSide]:
    side = await CallSide(bus, "call-1").open()
    await bus.ensure_stage(Stage.LLM, "default")
    yield side
    await side.close()


async def _submit(call: CallSide, lease_id: str, step: str) -> None:
    turn = LlmTurn(response_id="r1", model=step)
    await call.bus.submit(
        Stage.LLM, "default", Work(lease_id=lease_id, call_id="call-1", session_id="s1", turn=turn)
    )


def _losses(worker: WorkerProcess) -> int:
    return sum(line["event"] == "a model's process was lost" for line in worker.lines)


@pytest.mark.parametrize("step", ["segfaults", pytest.param("hangs", marks=pytest.mark.chaos)])
async def test_poison_ends_as_failed_and_kills_no_worker(
    call: CallSide, bus: Bus, start_workers: StartWorkers, step: str
) -> None:
    workers = await start_workers(2)
    for number in range(4):
        await _submit(call, f"beside{number}", "sleeps")
    await until(lambda: len(call.of("text")) == 4, "work beside it", timeout=30)
    await _submit(call, "poison", step)
    await until(lambda: bool(call.of("failed", "poison")), "its end", timeout=30)
    failed = call.of("failed", "poison")[0].failed
    assert (failed.error.code, failed.final) == ("model_lost", True)
    await _submit(call, "next", "you")
    await until(lambda: bool(call.of("text", "next")), "the next turn", timeout=30)
    assert call.of("text", "next")[0].text.text == "Hello, you"
    await QueueState(bus).empties()
    assert call.attempts("poison") == [0]
    assert not [event for number in range(4) for event in call.of("failed", f"beside{number}")]
    assert 1 <= sum(map(_losses, workers)) <= 2
    assert [worker.process.returncode for worker in workers] == [None, None]


async def test_a_worker_that_cannot_get_its_model_back_says_so_hands_back_and_exits(
    call: CallSide, start_workers: StartWorkers, tmp_path: Path
) -> None:
    [worker] = await start_workers(1, LOADS_ONCE=str(tmp_path / "loaded"))
    await _submit(call, "l1", "sleeps")
    await until(lambda: bool(call.of("text", "l1")), "the work", timeout=30)
    [model] = psutil.Process(worker.process.pid).children()
    model.kill()
    reasons = set()
    while worker.process.returncode is None:
        with contextlib.suppress(httpx.TransportError):
            reasons.add((await worker.get("/readyz")).json()["reason"])
        await asyncio.sleep(0.01)
    assert await asyncio.wait_for(worker.process.wait(), 20) == 1
    assert "model fragile is not ready" in reasons
    given_up = worker.logged("a model is given up")
    assert given_up is not None
    assert given_up["reason"] == "no memory left"
    assert call.of("released", "l1")
    assert not call.of("failed", "l1")
