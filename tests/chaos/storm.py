"""Callers who talk while faults strike: one fault a turn."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.chaos.caller import Caller, Turn, Verdict, calling, judge
from tests.chaos.faults import Fault
from tests.chaos.machines import Stack
from tests.chaos.tap import Tap, tapping

PHASE_S = 15.0
MOST_SILENT_S = 8.0
"""Beyond the usual, and beyond what a fault lasts: four times what is promised, for a machine that has other
things to do. What nothing else mends is missed when a worker has been silent for 15 s."""
_STAGGER_S = 0.2
_FIRST_TURNS, _USUAL_TURNS = 3, 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fault: the verdicts of the calls that it hit, and of the others.

    `unproven`: why it has shown nothing; empty when it has.
    """

    hit: tuple[Verdict, ...]
    beside: tuple[Verdict, ...]
    unproven: str = ""


class Storm:
    """Some calls on a stack. They last from one fault to the next, but for those that a fault has ended."""

    def __init__(self, stack: Stack, tap: Tap, *, calls: int, seed: int) -> None:
        self.stack = stack
        self._tap = tap
        self._wanted = calls
        self._chance = random.Random(seed)
        self._calls: dict[str, tuple[Caller, AsyncExitStack]] = {}
        self._usual_s: deque[float] = deque(maxlen=_USUAL_TURNS)

    @property
    def usual_s(self) -> float:
        """The median silence of the last turns to which nothing happened: a machine may become busy.

        0 before the first.
        """
        return statistics.median(self._usual_s or [0.0])

    async def turn(self) -> list[Verdict]:
        """One turn of every call, to which nothing happens."""
        await self.call_all()
        verdicts = [await judge(turn) for turn in await asyncio.gather(*self._asking().values())]
        self._note(verdicts)
        return verdicts

    async def warm_up(self) -> None:
        """Some turns of every call. Raises RuntimeError when anything is wrong with them."""
        for _ in range(_FIRST_TURNS):
            if wrong := [verdict.wrong for verdict in await self.turn() if verdict.wrong]:
                raise RuntimeError(f"wrong without any fault: {wrong}")

    def _note(self, unhit: Sequence[Verdict]) -> None:
        self._usual_s += [verdict.silent_s for verdict in unhit if not verdict.wrong]

    async def strike(self, fault: Fault) -> Outcome:
        """One turn of every call, with this fault in it."""
        await self.call_all()
        moment, void = self._tap.expect(fault.phase), self._tap.void
        asking = self._asking()
        try:
            async with asyncio.timeout(PHASE_S):
                await moment
            hit = await fault.strike(self.stack, self._tap, moment.result(), self._chance)
        except BaseException:
            for task in asking.values():
                task.cancel()
            raise
        most_s = self.usual_s + fault.lasts_s + MOST_SILENT_S
        verdicts = {
            call_id: await judge(await task, fault.outage, most_s) for call_id, task in asking.items()
        }
        await self.stack.heal()
        for call_id, verdict in verdicts.items():
            if verdict.wrong or not fault.role:  # the tap missed what was said while the broker was away
                await self._hang_up(call_id)
        beside = tuple(verdict for call_id, verdict in verdicts.items() if call_id not in hit)
        self._note(beside)
        return Outcome(
            tuple(verdict for call_id, verdict in verdicts.items() if call_id in hit),
            beside,
            "nothing void was said" if fault.says_more and self._tap.void == void else "",
        )

    def _asking(self) -> dict[str, asyncio.Task[Turn]]:
        async def ask(caller: Caller, after_s: float) -> Turn:
            await asyncio.sleep(after_s)  # people do not begin at once
            return await caller.ask()

        return {
            call_id: asyncio.create_task(ask(caller, number * _STAGGER_S))
            for number, (call_id, (caller, _)) in enumerate(self._calls.items())
        }

    async def call_all(self) -> None:
        """One after the other: so it is known which of the broker's calls is whose."""
        while len(self._calls) < self._wanted:
            known = self._tap.calls
            exits = AsyncExitStack()
            caller = await exits.enter_async_context(
                calling(self.stack.gateway_url, self._chance.randrange(2**32))
            )
            async with asyncio.timeout(PHASE_S):
                while not (new := self._tap.calls - known):
                    await self._tap.news()
            self._calls[new.pop()] = (caller, exits)

    async def _hang_up(self, call_id: str) -> None:
        _, exits = self._calls.pop(call_id)
        await exits.aclose()
        self._tap.forget(call_id)

    async def end(self) -> None:
        for call_id in list(self._calls):
            await self._hang_up(call_id)


@asynccontextmanager
async def storming(stack: Stack, *, calls: int, seed: int) -> AsyncIterator[Storm]:
    """Calls on this stack inside the block."""
    with tapping(stack.gateway.network) as tap:
        storm = Storm(stack, tap, calls=calls, seed=seed)
        try:
            yield storm
        finally:
            await storm.end()
