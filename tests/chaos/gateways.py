"""A stack with several gateways, which can be restarted one by one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.machines import Machine, Stack, running_stack
from tests.fixtures.gateway import gateway_environment
from tests.fixtures.nats import free_port


@dataclass(slots=True)
class Gateways:
    """The gateways of a stack, by the port of each: a successor has a port of its own."""

    stack: Stack
    running: dict[str, Machine] = field(default_factory=dict)
    _started: int = 0

    def start(self) -> Machine:
        port = free_port()
        stack = self.stack
        environment = gateway_environment(
            stack.folder, NATS_URL=stack.nats.url, REDIS_URL=stack.valkey.url, HTTP_PORT=str(port)
        )
        self._started += 1
        log = stack.folder / f"gateway-{self._started}.log"
        gateway = Machine("gateway", ["-m", "dialtone.gateway"], environment, log)
        self.running[f"ws://127.0.0.1:{port}"] = gateway
        return gateway

    def addresses(self) -> list[str]:
        """Where clients call: all that have not ended, ready or not."""
        return [address for address, gateway in self.running.items() if gateway.alive]

    async def end(self) -> None:
        for gateway in self.running.values():
            gateway.signal(signal.SIGTERM)
        await asyncio.gather(*(gateway.gone() for gateway in self.running.values()))


@asynccontextmanager
async def two_of_each(folder: Path) -> AsyncIterator[Gateways]:
    """A stack with two gateways and two workers of each stage."""
    async with running_stack(folder, proxied=False) as stack:
        gateways = Gateways(stack, {stack.gateway_url: stack.gateway})
        try:
            await gateways.start().ready()
            yield gateways
        finally:
            await gateways.end()
