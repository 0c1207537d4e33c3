"""What a stack holds: tasks, file descriptors and memory of its processes, subscriptions, claims, work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx
import psutil

from tests.chaos.inside import held_for_calls
from tests.chaos.machines import Machine, Stack

OTHERS = 2
"""Tasks and file descriptors more or less of a process at rest: of a question for its metrics, of pools."""

INBOXES = 14
"""Inboxes more or less of all processes: one each comes with the first question that it asks the others, and
a pull may be open while the one before it is closed."""


@dataclass(frozen=True, slots=True)
class Census:
    """`held`: what there is always, and no more when calls are over. `of_calls`: nothing then."""

    held: Mapping[str, int]
    of_calls: Mapping[str, float]

    def more_than(self, before: Census) -> dict[str, int]:
        """What there is of calls, and more of than before, beyond what varies at rest."""
        grown = {name: count - before.held[name] for name, count in self.held.items()}
        left = {name: round(count) for name, count in self.of_calls.items() if count}
        return left | {name: more for name, more in grown.items() if more > _spare(name)}


def _spare(name: str) -> int:
    if name == "inboxes":
        return INBOXES
    return OTHERS if name.endswith((" tasks", " fds")) else 0


def _name(machine: Machine) -> str:
    return f"{machine.name} {machine.pid}"


def memory(machines: Sequence[Machine]) -> dict[str, int]:
    """Resident bytes of each process, by name and pid."""
    return {_name(machine): psutil.Process(machine.pid).memory_info().rss for machine in machines}


def _in_pools(process: psutil.Process, stack: Stack) -> int:
    """Connections to the stores: a process keeps as many as it ever needed at once, within bounds."""
    ports = [one.raddr.port for one in process.net_connections("tcp") if one.raddr]
    files = [one.path for one in process.open_files() if one.path.startswith(str(stack.database))]
    return ports.count(stack.valkey.port) + len(files)


async def count(stack: Stack) -> Census:
    """Take the census of a stack and of its servers."""
    of_calls = await held_for_calls(stack)
    held: dict[str, int] = {}
    for machine in stack.machines:
        process, name = psutil.Process(machine.pid), _name(machine)
        held[f"{name} tasks"] = int(await machine.metric("dialtone_tasks"))
        held[f"{name} fds"] = process.num_fds() - _in_pools(process, stack)
        of_calls[f"{name} leases"] = await machine.metric("dialtone_work_in_progress")
    async with httpx.AsyncClient(base_url=stack.nats.monitor_url, timeout=5) as http:
        connections = (await http.get("/connz?subs=1")).json()["connections"]
        subjects = [subject for one in connections for subject in one.get("subscriptions_list", [])]
        held["connections"] = len(connections)
        held["inboxes"] = sum(subject.startswith("_INBOX.") for subject in subjects)
        held["subscriptions"] = len(subjects) - held["inboxes"]
        streams = (await http.get("/jsz")).json()
        held["consumers"], held["messages"] = streams["consumers"], streams["messages"]
    return Census(held, of_calls)
