"""The stack that is harmed: a broker, a Valkey, a gateway, and two workers of each stage, all processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.fixtures.gateway import gateway_environment
from tests.fixtures.nats import NatsServer, free_port
from tests.fixtures.valkey import ValkeyServer

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("asr", "llm", "tts")
WORKERS_EACH = 2
_READY_S = 40.0
_LEAVE_S = 20.0


class Machine:
    """One process of the stack."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self._url = f"http://127.0.0.1:{environment['HTTP_PORT']}"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *command], env=environment, cwd=ROOT, stdout=output, stderr=output
            )
        self.log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)

    async def ready(self) -> None:
        """Wait until it takes work. Raises AssertionError when it ends or takes too long."""
        async with asyncio.timeout(_READY_S), httpx.AsyncClient(timeout=2) as client:
            while True:
                assert self.alive, f"{self.name} ended: {self.log.read_text()[-2000:]}"
                try:
                    if (await client.get(f"{self._url}/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass  # it does not listen yet
                await asyncio.sleep(0.05)

    async def metrics(self) -> str:
        async with httpx.AsyncClient(timeout=2) as client:
            return (await client.get(f"{self._url}/metrics")).text

    async def gone(self) -> int:
        """Wait for its end; kills it when it does not come. Its exit status."""
        try:
            return await asyncio.to_thread(self._process.wait, _LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return await asyncio.to_thread(self._process.wait)


@dataclass
class Stack:
    """All of it; a worker that is gone is replaced by `heal`."""

    folder: Path
    nats: NatsServer
    valkey: ValkeyServer
    gateway: Machine
    gateway_url: str
    workers: list[Machine] = field(default_factory=list)
    frozen: set[int] = field(default_factory=set)
    _started: int = 0

    def start_worker(self, role: str) -> Machine:
        environment = gateway_environment(self.folder, NATS_URL=self.nats.url, STAGES="simulated")
        self._started += 1
        log = self.folder / f"{role}-{self._started}.log"
        machine = Machine(role, ["-m", "tests.chaos.worker", role], environment, log)
        self.workers.append(machine)
        return machine

    def worker(self, pid: int) -> Machine:
        return next(worker for worker in self.workers if worker.pid == pid)

    def freeze(self, pid: int) -> None:
        self.worker(pid).signal(signal.SIGSTOP)
        self.frozen.add(pid)

    def thaw(self) -> None:
        """Let all that are frozen go on."""
        for pid in self.frozen:
            self.worker(pid).signal(signal.SIGCONT)
        self.frozen.clear()

    async def heal(self) -> None:
        """Bring back two workers of each stage, ready."""
        self.thaw()
        self.workers = [worker for worker in self.workers if worker.alive]
        new = []
        for role in ROLES:
            living = sum(worker.name == role for worker in self.workers)
            new += [self.start_worker(role) for _ in range(WORKERS_EACH - living)]
        await asyncio.gather(*(worker.ready() for worker in new))

    async def end(self) -> None:
        self.thaw()
        for machine in (*self.workers, self.gateway):
            machine.signal(signal.SIGTERM)
        await asyncio.gather(*(machine.gone() for machine in (*self.workers, self.gateway)))


@asynccontextmanager
async def running_stack(folder: Path) -> AsyncIterator[Stack]:
    """Keep a stack up inside the block, ready when it begins. The folder is made."""
    nats, valkey = NatsServer(folder / "nats"), ValkeyServer(folder)
    try:
        await asyncio.to_thread(nats.start)
        await asyncio.to_thread(valkey.start)
        port = free_port()
        environment = gateway_environment(
            folder, NATS_URL=nats.url, REDIS_URL=valkey.url, HTTP_PORT=str(port)
        )
        gateway = Machine("gateway", ["-m", "dialtone.gateway"], environment, folder / "gateway.log")
        stack = Stack(folder, nats, valkey, gateway, f"ws://127.0.0.1:{port}")
        try:
            await stack.heal()
            await gateway.ready()
            yield stack
        finally:
            await stack.end()
    finally:
        valkey.kill()
        nats.kill()
