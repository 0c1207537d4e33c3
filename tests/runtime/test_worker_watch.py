"""A worker that was killed is noticed before its leases run out; one that is only slow is let be."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dialtone.bus import Bus, Stage, alive_subject
from dialtone.gateway.runtime.worker_watch import (
    LATENESSES,
    MISSES,
    PATIENCE_S,
    PERIOD_S,
    RETURN_S,
    WorkerWatch,
)
from dialtone.settings import BusSettings
from tests.contract.bus.call_side import CallSide, until
from tests.fixtures.nats import NatsServer
from tests.fixtures.nats_proxy import NatsProxy

ROOT = Path(__file__).parents[2]
NOTICED_S = PERIOD_S * (MISSES + 1)


class Watched:
    """A watch, and what it told."""

    def __init__(self, bus: Bus) -> None:
        self.gone: list[str] = []
        self.bus = bus
        self.watch = WorkerWatch(bus, self.gone.append)

    async def know(self, instance: str) -> None:
        """Have it watch this worker, and see it once."""
        self.watch.heard_of(instance)
        await asyncio.sleep(NOTICED_S)


@pytest.fixture
async def watched(bus: Bus) -> AsyncIterator[Watched]:
    watched = Watched(bus)
    await watched.watch.start()
    running = asyncio.create_task(watched.watch.run())
    yield watched
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()


@pytest.fixture
def holder(nats_server: NatsServer) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.contract.bus.holder", nats_server.url, "w1"]
    process = subprocess.Popen(command, cwd=ROOT)
    yield process
    process.kill()
    process.wait()


async def test_a_worker_is_gone_when_it_is_killed_and_not_when_it_stands_still(
    bus: Bus, watched: Watched, holder: subprocess.Popen[bytes]
) -> None:
    call = await CallSide(bus, "call-1").open()
    await bus.ensure_stage(Stage.LLM, "default")
    await call.submit("l1")
    await until(lambda: bool(call.of("claim")), "the claim", timeout=30)
    instance = call.of("claim")[0].claim.instance
    await watched.know(instance)
    os.kill(holder.pid, signal.SIGSTOP)
    await asyncio.sleep(1.0)
    os.kill(holder.pid, signal.SIGCONT)
    assert watched.gone == []
    holder.kill()
    killed_at = time.monotonic()
    await until(lambda: watched.gone == [instance], "the loss noticed")
    patience_s = min(PATIENCE_S, LATENESSES * watched.watch._late_s)  # on a busy machine
    assert time.monotonic() - killed_at < NOTICED_S + patience_s + 0.5
    await call.close()


@pytest.mark.parametrize(
    "harm", ["connection reset", pytest.param("broker restarted", marks=pytest.mark.chaos)]
)
async def test_a_worker_that_connects_again_at_once_is_not_gone(
    nats_server: NatsServer, watched: Watched, harm: str
) -> None:
    async with NatsProxy(nats_server.port) as proxy:
        worker = await Bus.connect(BusSettings(nats_url=proxy.url), name="worker")
        await worker.subscribe(alive_subject("w1"), lambda _message: None)
        await watched.know("w1")
        if harm == "connection reset":
            proxy.reset()
        else:
            await asyncio.to_thread(nats_server.restart)
            await until(lambda: watched.bus.generation == 2, "the gateway's new connection")
            await asyncio.sleep(RETURN_S)
        await until(lambda: worker.generation == 2, "the new connection")
        await asyncio.sleep(NOTICED_S)
        assert watched.gone == []
        await worker.close()
        await until(lambda: watched.gone == ["w1"], "its end")


async def test_who_is_late_itself_waits_longer_for_others(watched: Watched) -> None:
    """As on a machine with too much to do, where a broken connection is made again later."""
    listening = await watched.bus.subscribe(alive_subject("w1"), lambda _message: None)
    await watched.know("w1")
    time.sleep(0.6)  # noqa: ASYNC251  (what makes it late)
    await asyncio.sleep(0.01)
    await listening.unsubscribe()
    await asyncio.sleep(NOTICED_S * 0.95)
    listening = await watched.bus.subscribe(alive_subject("w1"), lambda _message: None)
    await asyncio.sleep(NOTICED_S)
    assert watched.gone == []
    await listening.unsubscribe()
    await until(lambda: watched.gone == ["w1"], "its end")


async def test_nobody_is_told_gone_who_was_never_there(watched: Watched) -> None:
    """As a worker whose broker does not let it listen, and whose work would be taken from it for ever."""
    watched.watch.heard_of("w1")
    watched.watch.heard_of("not a token")
    await asyncio.sleep(NOTICED_S + 2 * PERIOD_S)
    assert watched.gone == []
