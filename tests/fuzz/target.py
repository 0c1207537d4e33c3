"""The gateway that is fuzzed, and what must be the same after it as before."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from dialtone.local.state import StackState, start_time
from tests.fixtures.waiting import eventually

from .witness import Witness

T = TypeVar("T")
GROWTH_BYTES = 64 * 2**20
SETTLES_S = 30.0


class Target:
    """A running stack, and a thread with an event loop for those who talk to it."""

    def __init__(self, stack: StackState, recordings: Path) -> None:
        self.stack = stack
        self.recordings = recordings
        self.socket_url = stack.url.replace("http", "ws", 1)
        self._gateway = psutil.Process(stack.processes["gateway"].pid)
        self._started = start_time(self._gateway.pid)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fuzz", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.run(_end_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.stack.url.removeprefix("http://").partition(":")
        return host, int(port)

    def run(self, talk: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(talk, self._loop).result(120)

    @contextmanager
    def unharmed(self) -> Iterator[Witness]:
        """Whatever is done inside: another's call goes on beside it, and in the end nothing is left of it."""
        before = self.run(self._measured())
        witness = Witness(self.stack.url)
        watching = self.run(self._watch(witness))
        try:
            yield witness
        except BaseException:
            self._loop.call_soon_threadsafe(watching.cancel)
            raise
        assert not watching.done(), f"the witness's call ended: {watching.exception()!r}"
        self.run(witness.stop(watching))
        assert witness.turns > 0
        assert self._gateway.is_running()
        assert start_time(self._gateway.pid) == self._started, "the process was started anew"
        self.run(self._back_to(before))
        grown = self._gateway.memory_info().rss - before["rss"]
        assert grown < GROWTH_BYTES, f"{grown} bytes more than before"

    async def _watch(self, witness: Witness) -> asyncio.Task[None]:
        return asyncio.create_task(witness.run())

    async def _measured(self) -> dict[str, float]:
        async with httpx.AsyncClient() as http:
            lines = (await http.get(f"{self.stack.url}/metrics")).text.splitlines()

        def total(name: str) -> float:
            return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

        return {
            "calls": total("dialtone_gateway_active_calls"),
            "tasks": total("dialtone_tasks"),
            "clients": self._clients(),
            "rss": self._gateway.memory_info().rss,
        }

    def _clients(self) -> int:
        """Connections of clients. Those to the gateway's own servers are in pools, which fill with use."""
        port = self.address[1]
        connections = self._gateway.net_connections("tcp")
        return sum(c.laddr.port == port and c.status != psutil.CONN_LISTEN for c in connections)

    async def _back_to(self, before: dict[str, float]) -> None:
        now: dict[str, float] = {}

        async def settled() -> bool:
            nonlocal now
            now = await self._measured()
            more = max(now[name] - before[name] for name in ("tasks", "clients"))
            return now["calls"] == 0 and more <= 2  # of those who keep the stores, and of this question

        try:
            await eventually(settled, within_s=SETTLES_S)
        except AssertionError:
            raise AssertionError(f"before: {before}, after: {now}") from None


async def _end_others() -> None:
    """End what a test that failed left behind."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
