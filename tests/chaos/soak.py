"""Faults drawn at random, one after the other, while callers talk, for as long as is wanted.

The seed is printed: with it the same faults come in the same order. At the end nothing may be left inside,
no turn may have gone wrong, and the gateway, which lives through all of it, may not grow: its memory, tasks
and file descriptors are noted before each fault, when all calls are there and between two turns.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psutil

from tests.bench.stack import machine
from tests.chaos.faults import Fault, all_faults
from tests.chaos.folders import report, run_folder
from tests.chaos.inside import Inside
from tests.chaos.machines import Machine, running_stack
from tests.chaos.storm import Storm, storming
from tests.chaos.table import Row, markdown, total

MOST = {"rss MiB": 30.0, "tasks": 10.0, "fds": 10.0}
"""By which the gateway may have more in the last fifth of the time than in the second: in the first, caches
and pools fill."""


@dataclass(slots=True)
class Noted:
    """What a process had, and when: seconds on the monotonic clock."""

    at: list[float] = field(default_factory=list)
    had: list[dict[str, float]] = field(default_factory=list)

    async def look(self, machine: Machine) -> None:
        process = psutil.Process(machine.pid)
        self.at.append(time.monotonic())
        tasks = await machine.metric("dialtone_tasks")
        self.had.append(
            {"rss MiB": process.memory_info().rss / 2**20, "tasks": tasks, "fds": process.num_fds()}
        )

    def per_hour(self) -> dict[str, float]:
        """How fast each grows: the slope of a line through what was noted after the first fifth."""
        settled = self.had[len(self.had) // 5 :]
        hours = np.array(self.at[-len(settled) :]) / 3600
        if len(settled) < 2:
            return {}
        return {
            name: round(float(np.polyfit(hours, [had[name] for had in settled], 1)[0]), 2)
            for name in settled[0]
        }

    def grown(self) -> dict[str, float]:
        """How much more there was at last than after the first fifth."""
        part = len(self.had) // 5
        if not part:
            return {}
        early, late = self.had[part : 2 * part], self.had[-part:]
        return {
            name: round(
                statistics.median(h[name] for h in late) - statistics.median(h[name] for h in early), 1
            )
            for name in MOST
        }


@dataclass(frozen=True, slots=True)
class Soaked:
    """Rows by fault and place, silence of turns without one, the gateway over time, what was left."""

    rows: Sequence[Row]
    usual_s: float
    gateway: Noted
    left: Mapping[str, float]
    took_s: float

    @property
    def grows(self) -> dict[str, float]:
        """What there is too much more of."""
        return {name: more for name, more in self.gateway.grown().items() if more > MOST[name]}

    @property
    def wrong(self) -> list[str]:
        """Why it was not as promised, in words, with figures; empty if it was."""
        reasons = [
            f"the gateway has grown by {more:g} {name} since the first fifth, at most {MOST[name]:g}"
            for name, more in self.grows.items()
        ]
        reasons += [f"left inside: {count:g} {name}" for name, count in self.left.items()]
        return reasons + [f"{row.fault} ({row.phase}): {one}" for row in self.rows for one in row.wrong]


async def soak(faults: Sequence[Fault], minutes: float, calls: int, seed: int) -> Soaked:
    """Draw faults until the time is over."""
    began = time.monotonic()
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(running_stack(exits.enter_context(run_folder("soak"))))
        inside, gateway = await Inside.of(stack), Noted()
        async with storming(stack, calls=calls, seed=seed) as storm:
            await storm.warm_up()
            rows = await _strike(storm, faults, began + minutes * 60, random.Random(seed), gateway)
        return Soaked(rows, storm.usual_s, gateway, await inside.left(), time.monotonic() - began)


async def _strike(
    storm: Storm,
    faults: Sequence[Fault],
    until: float,
    chance: random.Random,
    gateway: Noted,
) -> list[Row]:
    rows: dict[tuple[str, str], Row] = {}
    while time.monotonic() < until:
        fault = chance.choice(faults)
        row = rows.setdefault((fault.name, fault.place), Row(fault.name, fault.place))
        before = len(row.wrong)
        await storm.call_all()
        await gateway.look(storm.stack.gateway)
        row.add(await storm.strike(fault), storm.usual_s)
        print(f"{until - time.monotonic():6.0f} s left: {fault}", file=sys.stderr)
        for wrong in row.wrong[before:]:
            print(f"    {wrong}", file=sys.stderr)
    return [rows[key] for key in sorted(rows)]


def main(arguments: Sequence[str]) -> int:
    """Read the command line, inject, write; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--calls", type=int, default=8, help="that talk at once")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", default="", help="faults whose name or place holds this")
    given = parser.parse_args(arguments)
    faults = [fault for fault in all_faults() if given.only in str(fault)]
    if not faults:
        parser.error(f"no fault is called {given.only}")
    print(f"seed {given.seed}", file=sys.stderr)
    soaked = asyncio.run(soak(faults, given.minutes, given.calls, given.seed))
    table = markdown(soaked.rows)
    growth = soaked.gateway.per_hour()
    figures: dict[str, Any] = {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        **{"machine": machine(), "seed": given.seed, "calls": given.calls, "took_s": round(soaked.took_s)},
        **{"usual_silence_ms": round(soaked.usual_s * 1e3), "left_inside": dict(soaked.left)},
        **{"gateway_growth_per_hour": growth, "gateway_grown": soaked.gateway.grown()},
        "gateway": soaked.gateway.had,
        **{"rows": [row.as_dict() for row in soaked.rows], "total": total(soaked.rows).as_dict()},
    }
    report("chaos-soak", figures, table)
    print(table)
    print(f"seed {given.seed}; the gateway grew by {soaked.gateway.grown()}, by the hour {growth}")
    print(f"left inside: {dict(soaked.left) or 'nothing'}")
    for reason in soaked.wrong:
        print(f"NO: {reason}")
    return 1 if soaked.wrong else 0
