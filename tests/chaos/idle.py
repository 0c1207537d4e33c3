"""Thousands of calls in which nobody speaks, and one in which somebody does.

What an idle call costs in memory of the gateway and the broker, what all of them take of a core, and how
much later the one call is answered than when it is alone. Two processes hold the idle ones; the limit of
open files bounds how many a process may have (`ulimit -n`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import psutil

from tests.bench.stack import machine
from tests.chaos.caller import Caller, calling, judge
from tests.chaos.folders import report, run_folder
from tests.chaos.machines import Stack, running_stack
from tests.fixtures.waiting import eventually

PROCESSES = 2
KIB_PER_CALL, CPU_SHARE, RATIO = 80.0, 0.1, 1.2
"""Promised for 10,000: resident memory of the gateway, of one core, of the answer's delay alone."""
_SPARE_FILES = 200
_SETTLE_S, _IDLE_S = 5.0, 20.0
_TURNS = 7
_OPENING_S, _STORING_S, _CLOSING_S = 900.0, 300.0, 120.0


async def _answered_after_s(caller: Caller) -> float:
    """The median silence before and in an answer, in seconds."""
    verdicts = [await judge(await caller.ask()) for _ in range(_TURNS)]
    assert not [verdict.wrong for verdict in verdicts if verdict.wrong]
    return statistics.median(verdict.silent_s for verdict in verdicts)


async def _stored(stack: Stack) -> bool:
    """Whether SQL has all the sessions: a slow disk is behind when they are opened at once."""
    return await stack.gateway.metric("dialtone_store_outbox_entries") == 0


@asynccontextmanager
async def holding(url: str, calls: int) -> AsyncIterator[list[int]]:
    """So many idle calls inside the block; afterwards the list has how many of them each process had to its
    end."""
    held: list[int] = []
    shares = [calls // PROCESSES + (number < calls % PROCESSES) for number in range(PROCESSES)]
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.idle_clients", url, str(share)), stdin=PIPE, stdout=PIPE
        )
        for share in shares
    ]

    async def line(process: asyncio.subprocess.Process) -> int:
        assert process.stdout is not None
        return int(await process.stdout.readline())

    try:
        async with asyncio.timeout(_OPENING_S):
            opened = [await line(process) for process in processes]
        assert opened == shares, f"{opened} calls were opened"
        yield held
        async with asyncio.timeout(_CLOSING_S):
            for process in processes:
                assert process.stdin is not None
                process.stdin.close()
            held += [await line(process) for process in processes]
            await asyncio.gather(*(process.wait() for process in processes))
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


class _Looked:
    """Memory and CPU time of processes, at one moment."""

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        self.at = time.monotonic()
        self.rss = {name: process.memory_info().rss for name, process in processes.items()}
        self.cpu_s = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}

    def cpu_share(self, later: _Looked) -> dict[str, float]:
        took = later.at - self.at
        return {name: round((later.cpu_s[name] - cpu) / took, 3) for name, cpu in self.cpu_s.items()}


async def measure(stack: Stack, calls: int) -> dict[str, Any]:
    """The figures for so many idle calls."""
    children = psutil.Process().children()
    by_name = {"nats-server": "broker", "valkey-server": "valkey"}
    servers = {by_name[child.name()]: child for child in children if child.name() in by_name}
    processes = {"gateway": psutil.Process(stack.gateway.pid), **servers}
    async with calling(stack.gateway_url, seed=1) as caller:
        alone_s = await _answered_after_s(caller)
        before, began = _Looked(processes), time.monotonic()
        async with holding(stack.gateway_url, calls) as held:
            opening_s = time.monotonic() - began
            await eventually(partial(_stored, stack), within_s=_STORING_S)
            await asyncio.sleep(_SETTLE_S)
            first = _Looked(processes)
            await asyncio.sleep(_IDLE_S)
            last = _Looked(processes)
            among_s = await _answered_after_s(caller)
    kib = {name: round((rss - before.rss[name]) / calls / 1024, 1) for name, rss in first.rss.items()}
    return {
        **{"calls": calls, "held": sum(held), "opened_per_s": round(calls / opening_s)},
        **{"kib_per_call": kib, "cpu_share": first.cpu_share(last)},
        "answered_ms": {"alone": round(alone_s * 1e3), "among them": round(among_s * 1e3)},
        "ratio": round(among_s / alone_s, 3),
    }


async def _run(calls: int) -> dict[str, Any]:
    limits = {"MAX_CALLS": str(calls + 10), "ADDRESS_REQUESTS_PER_MINUTE": "0"}
    with run_folder("idle") as folder:
        async with running_stack(folder, proxied=False, settings=limits) as stack:
            return await measure(stack, calls)


def main(arguments: Sequence[str]) -> int:
    """Read the command line, hold, write; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos idle", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000, help="idle ones")
    given = parser.parse_args(arguments)
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_FILES
    if given.calls > allowed:
        print(f"{allowed} calls, for that many files may be open", file=sys.stderr)
    figures = {"machine": machine(), **asyncio.run(_run(min(given.calls, allowed)))}
    report("chaos-idle", figures)
    print(json.dumps(figures, indent=1))
    reached = {
        "all held": figures["held"] == figures["calls"],
        f"<= {KIB_PER_CALL} KiB a call": figures["kib_per_call"]["gateway"] <= KIB_PER_CALL,
        f"<= {CPU_SHARE:.0%} of a core": figures["cpu_share"]["gateway"] <= CPU_SHARE,
        f"<= {RATIO} of the delay alone": figures["ratio"] <= RATIO,
    }
    for name, so in reached.items():
        print(f"{name}: {'yes' if so else 'NO'}")
    return 0 if all(reached.values()) else 1
