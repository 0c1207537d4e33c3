"""Restarts every service under callers who talk without end, one replica after the other.

Of each service there are two processes. One is asked to leave (SIGTERM) while its successor is started; when
the one has left and the other is ready, the next. Gaps are silence beyond that of a turn without a restart,
of the turns that were going on from a SIGTERM until the successor was ready and the process gone.
Exit status 1: something was wrong, or a silence longer than is promised.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from tests.bench.stack import machine
from tests.chaos.caller import Verdict, judge
from tests.chaos.folders import report, run_folder
from tests.chaos.gateways import Gateways, two_of_each
from tests.chaos.machines import ROLES
from tests.chaos.returning import ReturningCaller, Said, returning
from tests.chaos.worker import sentences_about
from tests.fixtures.waiting import eventually

SERVICES = ("gateway", *ROLES)
_CALM_TURNS = 2
_STAGGER_S = 0.25
_STORED_S = 10.0
DRAIN_P95_MS, BACK_S = 100, 2.0
"""Promised, on a machine that does nothing else."""


@dataclass(frozen=True, slots=True)
class Roll:
    """One service was restarted, between these times on the monotonic clock."""

    service: str
    began: float
    ended: float
    statuses: tuple[int, ...]  # exit statuses of those that left

    def hit(self, said: Said) -> bool:
        return said.began < self.ended and said.ended > self.began


async def roll(gateways: Gateways, service: str) -> Roll:
    """Restart all processes of a service, one after the other."""
    stack, statuses = gateways.stack, []
    began = time.monotonic()
    if service == "gateway":
        old = [gateway for gateway in gateways.running.values() if gateway.alive]
    else:
        old = [worker for worker in stack.workers if worker.name == service and worker.alive]
    for leaving in old:
        leaving.signal(signal.SIGTERM)
        successor = gateways.start() if service == "gateway" else stack.start_worker(service)
        _, status = await asyncio.gather(successor.ready(), leaving.gone())
        statuses.append(status)
    return Roll(service, began, time.monotonic(), tuple(statuses))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What callers heard: of each turn the verdict, by when it was."""

    rolls: tuple[Roll, ...]
    turns: tuple[tuple[Said, Verdict], ...]
    returns_s: tuple[float, ...]
    journals_wrong: tuple[str, ...]  # of conversations that are not stored as they were heard

    def of(self, roll: Roll) -> list[Verdict]:
        """The turns that went on during this restart."""
        return [verdict for said, verdict in self.turns if roll.hit(said)]

    @property
    def calm(self) -> list[Verdict]:
        """The turns without any restart."""
        return [v for said, v in self.turns if not any(roll.hit(said) for roll in self.rolls)]

    @property
    def usual_s(self) -> float:
        return statistics.median(verdict.silent_s for verdict in self.calm)

    def gaps_ms(self, verdicts: Sequence[Verdict]) -> list[float]:
        return [max(0.0, verdict.silent_s - self.usual_s) * 1e3 for verdict in verdicts]


async def restart_under(
    gateways: Gateways, services: Sequence[str], calls: int, say: Callable[[str], None] = lambda _line: None
) -> Outcome:
    """Restart these services while so many callers talk."""
    talking = True
    rolls = []
    async with AsyncExitStack() as exits:
        callers: list[ReturningCaller] = []
        tasks: list[asyncio.Task[None]] = []
        for number in range(calls):
            caller = await exits.enter_async_context(returning(gateways.addresses, number))
            callers.append(caller)
            tasks.append(asyncio.create_task(caller.talk(lambda: talking)))
            await asyncio.sleep(_STAGGER_S)  # people do not begin at once
        try:
            await _turns_more(callers, _CALM_TURNS)
            for service in services:
                rolls.append(await roll(gateways, service))
                say(f"{service}: {rolls[-1].ended - rolls[-1].began:.1f} s")
                await _turns_more(callers, 2)  # the first of them had begun before
        finally:
            talking = False
            await asyncio.gather(*tasks)
    turns = [(said, await judge(said.turn)) for caller in callers for said in caller.said]
    wrong = [await _journal(gateways, caller) for caller in callers]
    returns = [one for caller in callers for one in caller.returns_s]
    return Outcome(tuple(rolls), tuple(turns), tuple(returns), tuple(filter(None, wrong)))


async def _turns_more(callers: Sequence[ReturningCaller], count: int) -> None:
    wanted = [len(caller.said) + count for caller in callers]

    async def said() -> bool:
        return all(
            len(caller.said) >= goal or caller.gone for caller, goal in zip(callers, wanted, strict=True)
        )

    await eventually(said, within_s=60.0 * count)


async def _journal(gateways: Gateways, caller: ReturningCaller) -> str:
    """How the stored conversation differs from what was said and heard; empty if it does not."""
    expected = []
    for said in caller.said:
        expected += [said.turn.question, " ".join(sentences_about(said.turn.question))]
    url = gateways.addresses()[0].replace("ws", "http", 1)
    found: list[str] = []

    async def stored() -> bool:
        nonlocal found
        async with httpx.AsyncClient(timeout=5) as http:
            answer = await http.get(f"{url}/v1/sessions/{caller.session_id}")
        found = [message["content"] for message in answer.json()["messages"]]
        return found == expected

    try:
        await eventually(stored, within_s=_STORED_S)
    except AssertionError:
        return f"{caller.session_id}: said {expected}, stored {found}"
    return ""


HEAD = (
    *("service", "turns hit", "turns wrong", "words lost", "sentences doubled", "sentences lost"),
    *("gap p50 ms", "gap p95 ms", "gap max ms"),
)


def rows_of(outcome: Outcome) -> list[dict[str, Any]]:
    """One for each service, and one for the turns without a restart."""
    groups = [(roll.service, outcome.of(roll)) for roll in outcome.rolls] + [("none", outcome.calm)]
    rows = []
    for service, verdicts in groups:
        gaps = outcome.gaps_ms(verdicts) or [0.0]
        counts = {
            "turns hit": len(verdicts),
            "turns wrong": sum(bool(verdict.wrong) for verdict in verdicts),
            "words lost": sum(verdict.words_lost for verdict in verdicts),
            "sentences doubled": sum(verdict.sentences_doubled for verdict in verdicts),
            "sentences lost": sum(verdict.sentences_lost for verdict in verdicts),
        }
        at = {"p50": 50, "p95": 95, "max": 100}
        silence = {f"gap {name} ms": round(float(np.percentile(gaps, p))) for name, p in at.items()}
        rows.append({"service": service, **counts, **silence})
    return rows


def wrong_of(outcome: Outcome) -> list[str]:
    """Whatever was not as it should be, in words."""
    turns = ["; ".join(verdict.wrong) for _, verdict in outcome.turns if verdict.wrong]
    statuses = [f"{roll.service} left with {roll.statuses}" for roll in outcome.rolls if any(roll.statuses)]
    return [*turns, *statuses, *outcome.journals_wrong]


def promises(outcome: Outcome) -> dict[str, bool]:
    """Whether each promise about silence was kept, in words; nothing of services that were not restarted."""
    kept = {}
    leaving = [roll for roll in outcome.rolls if roll.service != "gateway"]
    if gaps := outcome.gaps_ms([verdict for roll in leaving for verdict in outcome.of(roll)]):
        gap = float(np.percentile(gaps, 95))
        kept[f"workers: gap {gap:.0f} ms at p95, at most {DRAIN_P95_MS} promised"] = gap <= DRAIN_P95_MS
    if outcome.returns_s:
        longest = max(outcome.returns_s)
        kept[f"gateways: back after {longest:.2f} s at most, {BACK_S:.0f} promised"] = longest <= BACK_S
    return kept


async def _run(services: Sequence[str], calls: int) -> Outcome:
    with run_folder("rolling") as folder:
        async with two_of_each(folder) as gateways:
            return await restart_under(gateways, services, calls, lambda line: print(line, file=sys.stderr))


def main(arguments: Sequence[str]) -> int:
    """Read the command line, restart, write; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos rolling", description=__doc__)
    parser.add_argument("--calls", type=int, default=20, help="that talk at once")
    parser.add_argument("--service", action="append", choices=SERVICES, help="only this one; may be repeated")
    given = parser.parse_args(arguments)
    outcome = asyncio.run(_run(given.service or SERVICES, given.calls))
    rows, wrong = rows_of(outcome), wrong_of(outcome)
    returns = [round(one * 1e3) for one in sorted(outcome.returns_s)]
    figures = {
        **{"machine": machine(), "calls": given.calls, "usual_silence_ms": round(outcome.usual_s * 1e3)},
        **{"rows": rows, "returns_ms": returns, "wrong": wrong},
    }
    lines = [[str(row[name]) for name in HEAD] for row in rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in [list(HEAD), ["---"] * len(HEAD), *lines])
    if returns:
        middle = statistics.median(returns)
        table += f"\n\n{len(returns)} returns to another gateway: p50 {middle:.0f}, max {returns[-1]} ms"
    report("chaos-rolling", figures, table + "\n")
    print(table)
    for line in wrong:
        print(line, file=sys.stderr)
    kept = promises(outcome)
    for promise, so in kept.items():
        print(f"{promise}: {'yes' if so else 'NO'}")
    return 1 if wrong or not all(kept.values()) else 0
