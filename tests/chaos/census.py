"""What a stack holds: tasks, file descriptors and memory of its processes, subscriptions, claims, work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
import psutil
import redis.asyncio

from tests.chaos.machines import Machine, Stack

OTHERS = 2
"""Tasks and file descriptors more or less of a process at rest: of a question for its metrics, of pools."""


@dataclass(frozen=True, slots=True)
class Census:
    """`held`: what is to be there at rest, and no more. `rss`: bytes of each process, by name and pid."""

    held: Mapping[str, int]
    rss: Mapping[str, int]

    def more_than(self, before: Census) -> dict[str, int]:
        """What there is more of than before, beyond what varies at rest. Processes are compared that
        were there then."""
        grown = {name: count - before.held[name] for name, count in self.held.items() if name in before.held}
        return {name: more for name, more in grown.items() if more > _spare(name)}

    def grown_mib(self, before: Census) -> dict[str, float]:
        """How much the processes have grown that were there before."""
        return {
            name: round((bytes_ - before.rss[name]) / 2**20, 2)
            for name, bytes_ in self.rss.items()
            if name in before.rss
        }


def _spare(name: str) -> int:
    return OTHERS if name.endswith((" tasks", " fds")) else 0


def _in_pools(process: psutil.Process, stack: Stack) -> int:
    """Connections to Valkey: of those a process keeps as many as it ever needed at once, within its bound."""
    ports = [one.raddr.port for one in process.net_connections("tcp") if one.raddr]
    return ports.count(stack.valkey.port)


async def count(stack: Stack, gateways: Sequence[Machine]) -> Census:
    """Take the census of a stack with these gateways, and of its servers."""
    held: dict[str, int] = defaultdict(int)
    rss = {}
    for machine in (*gateways, *stack.workers):
        process, name = psutil.Process(machine.pid), f"{machine.name} {machine.pid}"
        held[f"{name} tasks"] = int(await machine.metric("dialtone_tasks"))
        held[f"{name} fds"] = process.num_fds() - _in_pools(process, stack)
        held["calls"] += int(await machine.metric("dialtone_gateway_active_calls"))
        held["leases"] += int(await machine.metric("dialtone_work_in_progress"))
        rss[name] = process.memory_info().rss
    async with httpx.AsyncClient(base_url=stack.nats.monitor_url, timeout=5) as http:
        held["subscriptions"] = (await http.get("/subsz")).json()["num_subscriptions"]
        held["connections"] = (await http.get("/connz")).json()["num_connections"]
        streams = (await http.get("/jsz")).json()
        held["consumers"], held["messages"] = streams["consumers"], streams["messages"]
    async with redis.asyncio.from_url(stack.valkey.url) as store:
        held["claims"] = len([key async for key in store.scan_iter("dialtone:*:call:*")])
    return Census(dict(held), rss)
