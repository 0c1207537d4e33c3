"""The stack that is harmed: a broker, a Valkey, a gateway, and two workers of each stage, all processes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.fixtures.clock import Clock
from tests.fixtures.gateway import gateway_environment
from tests.fixtures.nats import NatsServer, free_port
from tests.fixtures.nats_proxy import NatsProxy
from tests.fixtures.valkey import ValkeyServer

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("asr", "llm", "tts")
MOSHI = "moshi"
"""The role that a stack has where it is asked for."""
WORKERS_EACH = 2
_SERVICES = {
    "asr": "dialtone.vad_asr",
    "llm": "dialtone.llm",
    "tts": "dialtone.tts",
    MOSHI: "dialtone.llm.moshi",
}
_READY_S = 120.0  # of which real models take most
_LEAVE_S = 20.0
_ANSWER_S = 10.0  # of a machine that has other things to do


class Machine:
    """One process of the stack, its clock, and the network between it and the broker if one is given."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: dict[str, str],
        log: Path,
        network: NatsProxy | None = None,
    ) -> None:
        """Ends with `network`, which has been entered."""
        self.name = name
        self._network = network
        self.clock = Clock(log.with_suffix(".clock"))
        environment = {**environment, **self.clock.environment}
        if network is not None:
            environment["NATS_URL"] = network.url
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

    @property
    def network(self) -> NatsProxy:
        assert self._network is not None, f"the network of this {self.name} cannot be harmed"
        return self._network

    def mend(self) -> None:
        """Undo what was done to its clock and its network."""
        self.clock.ahead_s = 0.0
        if self._network is not None:
            self._network.heal()
            self._network.delay_s = self._network.duplicate = self._network.swap = 0.0

    async def metric(self, name: str) -> float:
        """The sum of all samples of this metric."""
        async with httpx.AsyncClient(timeout=_ANSWER_S) as client:
            lines = (await client.get(f"{self._url}/metrics")).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if re.match(rf"{name}[ {{]", line))

    async def gone(self) -> int:
        """Wait for its end; kills it when it does not come. Its exit status."""
        try:
            return await asyncio.to_thread(self._process.wait, _LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return await asyncio.to_thread(self._process.wait)

    async def end(self) -> None:
        """Ask it to leave, and wait for that."""
        self.signal(signal.SIGTERM)
        await self.gone()
        if self._network is not None:
            await self._network.__aexit__()


@dataclass
class Stack:
    """All of it; a worker that is gone is replaced by `heal`. `proxied`: the network can be harmed.

    `real`: the workers are the services themselves with their default models, not those of
    `tests.chaos.worker`.
    """

    folder: Path
    nats: NatsServer
    valkey: ValkeyServer
    gateway: Machine
    gateway_url: str
    proxied: bool = True
    real: bool = False
    roles: tuple[str, ...] = ROLES
    workers: list[Machine] = field(default_factory=list)
    frozen: set[int] = field(default_factory=set)
    _started: int = 0

    def start_worker(self, role: str, network: NatsProxy | None = None) -> Machine:
        stages = "real" if self.real else "simulated"
        environment = gateway_environment(self.folder, NATS_URL=self.nats.url, STAGES=stages)
        self._started += 1
        log = self.folder / f"{role}-{self._started}.log"
        command = ["-m", _SERVICES[role]] if self.real else ["-m", "tests.chaos.worker", role]
        machine = Machine(role, command, environment, log, network)
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

    @property
    def database(self) -> Path:
        """The gateway's SQLite file."""
        return self.folder / "gateway.db"

    @property
    def machines(self) -> list[Machine]:
        return [*self.workers, self.gateway]

    async def heal(self) -> None:
        """Bring back two workers of each stage, ready, and the network."""
        self.thaw()
        for gone in [worker for worker in self.workers if not worker.alive]:
            self.workers.remove(gone)
            await gone.end()
        for machine in self.machines:
            machine.mend()
        new = []
        for role in self.roles:
            living = sum(worker.name == role for worker in self.workers)
            for _ in range(WORKERS_EACH - living):
                network = await NatsProxy(self.nats.port).__aenter__() if self.proxied else None
                new.append(self.start_worker(role, network))
        await asyncio.gather(*(worker.ready() for worker in new))

    async def end(self) -> None:
        self.thaw()
        await asyncio.gather(*(machine.end() for machine in self.machines))


@asynccontextmanager
async def running_stack(
    folder: Path,
    *,
    proxied: bool = True,
    real: bool = False,
    roles: tuple[str, ...] = ROLES,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Stack]:
    """Keep a stack up inside the block, ready when it begins. The folder is made.

    `settings` are environment variables of the gateway. Without `proxied` all speak with the broker
    themselves, so that this process does not carry what they say.
    """
    nats, valkey = NatsServer(folder / "nats"), ValkeyServer(folder)
    try:
        await asyncio.to_thread(nats.start)
        await asyncio.to_thread(valkey.start)
        port = free_port()
        network = await NatsProxy(nats.port).__aenter__() if proxied else None  # ends with the gateway
        environment = gateway_environment(
            folder, NATS_URL=nats.url, REDIS_URL=valkey.url, HTTP_PORT=str(port), **settings or {}
        )
        log = folder / "gateway.log"
        gateway = Machine("gateway", ["-m", "dialtone.gateway"], environment, log, network)
        stack = Stack(folder, nats, valkey, gateway, f"ws://127.0.0.1:{port}", proxied, real, roles)
        try:
            await stack.heal()
            await gateway.ready()
            yield stack
        finally:
            await stack.end()
    finally:
        valkey.kill()
        nats.kill()
