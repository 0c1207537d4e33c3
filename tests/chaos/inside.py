"""What a stack holds for its calls, as its processes and servers tell: nothing when all are over."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httpx
from redis.asyncio import Redis

from tests.chaos.machines import Stack
from tests.fixtures.waiting import eventually

_SETTLED_S = 20.0
_ANSWER_S = 10.0  # of a machine that has other things to do
# Of what processes have of their own, some comes with the first call, and some comes and goes: requests,
# pulls, looks at the stores. A leak grows with the turns.
_COME_AND_GO = 15


class Inside:
    """Knows what the processes had before there were calls."""

    def __init__(self, stack: Stack, before: dict[str, float]) -> None:
        self._stack = stack
        self._before = before

    @classmethod
    async def of(cls, stack: Stack) -> Inside:
        """To be made before the first call."""
        return cls(stack, await _own(stack))

    async def left(self) -> dict[str, float]:
        """What is still held a while after the last call; empty is as it should be."""
        held: dict[str, float] = {}

        async def nothing() -> bool:
            nonlocal held
            held = await self._held()
            return not held

        with suppress(AssertionError):
            await eventually(nothing, within_s=_SETTLED_S)
        return held

    async def _held(self) -> dict[str, float]:
        stack = self._stack
        found = await held_for_calls(stack)
        for worker in stack.workers:
            found[f"leases of {worker.name} {worker.pid}"] = await worker.metric("dialtone_work_in_progress")
        for name, count in (await _own(stack)).items():
            found[f"{name} beyond those at first"] = max(0.0, count - self._before[name] - _COME_AND_GO)
        return {name: count for name, count in found.items() if count}


async def held_for_calls(stack: Stack) -> dict[str, float]:
    """What there is of calls outside of workers; all zero when nobody calls."""
    found = {"calls": await stack.gateway.metric("dialtone_gateway_active_calls")}
    found["writes that wait"] = await stack.gateway.metric("dialtone_store_outbox_entries")
    found["sessions without their copy"] = await stack.gateway.metric("dialtone_store_live_stale_sessions")
    connections = await _broker(stack, "connz?subs=1", "connections")
    subjects = [subject for one in connections for subject in one.get("subscriptions_list", [])]
    found["subscriptions"] = sum(subject.startswith("call.") for subject in subjects)
    for account in await _broker(stack, "jsz?consumers=1", "account_details"):
        for stream in account["stream_detail"]:
            for consumer in stream["consumer_detail"]:
                for count in ("num_pending", "num_ack_pending"):
                    found[f"{count} of {consumer['name']}"] = consumer[count]
    async with Redis.from_url(stack.valkey.url) as redis:
        found["claims of sessions"] = len([key async for key in redis.scan_iter("dialtone:*:call:*")])
    return found


async def _own(stack: Stack) -> dict[str, float]:
    """What processes have also without calls."""
    connections = await _broker(stack, "connz", "connections")
    found = {
        "gateway's subscriptions": sum(
            one["subscriptions"]
            for one in connections
            if one.get("name") == "gateway"  # one that is being made has none yet
        )
    }
    for machine in stack.machines:
        name = f"tasks of {machine.name}"
        found[name] = max(found.get(name, 0.0), await machine.metric("dialtone_tasks"))
    return found


async def _broker(stack: Stack, what: str, part: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(timeout=_ANSWER_S) as http:
        answer = (await http.get(f"{stack.nats.monitor_url}/{what}")).json()
    found: list[dict[str, Any]] = answer[part]
    return found
