"""A worker process says when it is ready, leaves in good order when asked, and at once when asked twice."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from dialtone.bus import Bus, Stage
from tests.contract.bus.call_side import CallSide, until
from tests.fixtures.nats import NatsServer

ROOT = Path(__file__).parents[3]


class WorkerProcess:
    """A running process and the log lines that it has written."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            if line.startswith(b"{"):  # a crash leaves a stack there as well
                self.lines.append(json.loads(line))

    def logged(self, event: str) -> dict[str, Any] | None:
        return next((line for line in self.lines if line["event"] == event), None)

    async def port(self) -> int:
        await until(lambda: self.logged("starting") is not None, "the start", timeout=30)
        line = self.logged("starting")
        assert line is not None
        return int(line["http_port"])

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(f"http://127.0.0.1:{await self.port()}{path}", timeout=5)

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading


StartProcess = Callable[..., Awaitable[WorkerProcess]]


@pytest.fixture
async def start_process(nats_server: NatsServer) -> AsyncIterator[StartProcess]:
    started: list[WorkerProcess] = []

    async def start(**environment: str) -> WorkerProcess:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.contract.worker.sleeper",
            cwd=ROOT,
            env={**os.environ, "NATS_URL": nats_server.url, "HTTP_PORT": "0", **environment},
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(WorkerProcess(process))
        return started[-1]

    yield start
    for running in started:
        await running.end()


@pytest.fixture
async def call(bus: Bus) -> AsyncIterator[CallSide]:
    side = await CallSide(bus, "call-1").open()
    await bus.ensure_stage(Stage.LLM, "default")
    yield side
    await side.close()


async def test_ready_only_when_loaded_and_while_the_broker_is_there(
    nats_server: NatsServer, start_process: StartProcess
) -> None:
    nats_server.kill()
    worker = await start_process(LOAD="1")
    answer = await worker.get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "loading")
    assert (await worker.get("/livez")).status_code == 200
    await until(lambda: worker.logged("trouble on the bus") is not None, "a log line about the broker")
    nats_server.start()
    await until(lambda: worker.logged("ready") is not None, "ready")
    assert (await worker.get("/readyz")).json() == {"ready": True, "reason": ""}

    nats_server.kill()
    await until(lambda: worker.logged("connection to the broker lost") is not None, "the loss")
    answer = await worker.get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "broker away")


async def test_metrics_count_the_work(call: CallSide, start_process: StartProcess) -> None:
    worker = await start_process()
    await call.submit("l1")
    await until(lambda: bool(call.of("text")), "the work", timeout=30)
    deadline = time.monotonic() + 5
    while 'dialtone_leases_total{result="done",stage="llm"} 1.0' not in (await worker.get("/metrics")).text:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert "dialtone_event_loop_lag_seconds_count" in (await worker.get("/metrics")).text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_asked_to_stop_it_finishes_its_work_and_exits_0(
    number: signal.Signals, call: CallSide, start_process: StartProcess
) -> None:
    worker = await start_process(SLEEP="0.5")
    await call.submit("l1")
    await until(lambda: bool(call.of("claim")), "the claim", timeout=30)
    worker.process.send_signal(number)
    assert await asyncio.wait_for(worker.process.wait(), 5) == 0
    await until(lambda: len(call.of("text")) == 1, "the result")
    assert call.attempts("l1") == [0]


async def test_asked_twice_it_exits_at_once(call: CallSide, start_process: StartProcess) -> None:
    worker = await start_process(SLEEP="60")
    await call.submit("l1")
    await until(lambda: bool(call.of("claim")), "the claim", timeout=30)
    worker.process.terminate()
    await until(lambda: worker.logged("draining") is not None, "the drain")
    assert (await worker.get("/readyz")).json()["reason"] == "draining"
    worker.process.terminate()
    assert await asyncio.wait_for(worker.process.wait(), 2) == 128 + signal.SIGTERM


async def test_asked_to_stop_while_loading_it_exits_0(start_process: StartProcess) -> None:
    worker = await start_process(LOAD="60")
    await worker.port()
    worker.process.terminate()
    assert await asyncio.wait_for(worker.process.wait(), 5) == 0


async def test_a_model_that_does_not_load_ends_the_process_with_the_reason(
    start_process: StartProcess,
) -> None:
    worker = await start_process(LOAD="fails")
    assert await asyncio.wait_for(worker.process.wait(), 30) == 1
    await until(lambda: worker.logged("cannot start") is not None, "the log line")
    line = worker.logged("cannot start")
    assert line is not None
    assert line["error"] == "no such model"
    assert "FileNotFoundError: no such model" in line["exception"]
