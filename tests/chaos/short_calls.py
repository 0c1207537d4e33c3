"""Short calls by the hundred, which end in every way that a call can; afterwards nothing of them is left.

The stack is counted at rest after the first calls, which fill its pools, and after the last: tasks and file
descriptors of every process, subscriptions and consumers of the broker, claims in Redis, work and leases are
to be as many as before. No process may grow by more than 1 MiB in 100 calls: the slope of a line through
twenty looks at its memory, since what the allocator keeps goes up and down by some MiB. Of less than 500
calls that tells nothing, and is not held against them.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tests.bench.stack import machine
from tests.chaos.census import Census, count, memory
from tests.chaos.endings import LATE, LIMITS, SOON, Ending
from tests.chaos.folders import report, run_folder
from tests.chaos.machines import Stack, running_stack

MIB_PER_100_CALLS = 1.0
MEMORY_TELLS = 500
"""Calls, before which the heaps of processes still fill."""
_AT_REST_S = 40.0  # the longest that anything is waited for: a client that answers no pings
_LOOK_EVERY_S = 0.5
_LOOKS = 20


@dataclass(frozen=True, slots=True)
class Soaked:
    """Calls that were made between two censuses: by ending, and those that did not end as they should."""

    calls: int
    endings: Mapping[str, int]
    wrong: Sequence[str]
    before: Census
    after: Census
    rss: Sequence[Mapping[str, int]]
    """Bytes of each process, at equal distances while the calls were made."""

    @property
    def left(self) -> dict[str, int]:
        """What there is more of than before the calls."""
        return self.after.more_than(self.before)

    @property
    def mib_per_100_calls(self) -> dict[str, float]:
        """How fast each process grew."""
        hundreds = np.linspace(0, self.calls / 100, len(self.rss))
        return {
            name: round(float(np.polyfit(hundreds, [one[name] / 2**20 for one in self.rss], 1)[0]), 3)
            for name in self.rss[0]
        }


async def soak(
    stack: Stack, endings: Mapping[str, Ending], *, first: int, calls: int, at_once: int, seed: int
) -> Soaked:
    """Make `first` calls and count, then `calls` more and count again; the endings in turn."""
    wrong = await _make_calls(stack, endings, first, at_once, seed, lambda _done: None)
    before = await _at_rest(stack, None)
    rss = []

    def look(done: int) -> None:
        if done * _LOOKS // calls > (done - 1) * _LOOKS // calls:
            rss.append(memory(stack.machines))

    wrong += await _make_calls(stack, endings, calls, at_once, seed + 1, look)
    after = await _at_rest(stack, before)
    made = dict(Counter(itertools.islice(itertools.cycle(endings), calls)))
    return Soaked(calls, made, wrong, before, after, rss)


async def _make_calls(
    stack: Stack,
    endings: Mapping[str, Ending],
    calls: int,
    at_once: int,
    seed: int,
    on_done: Callable[[int], None],
) -> list[str]:
    """What went wrong, in words; `on_done` gets how many calls are over."""
    places = asyncio.Semaphore(at_once)
    wrong = []
    done = itertools.count(1)

    async def make(name: str, ending: Ending, number: int) -> None:
        async with places:
            try:
                await ending(stack.gateway_url, random.Random(f"{seed}-{number}"))
            except Exception as error:  # noqa: BLE001  (each of a thousand calls is told of, none stops the rest)
                wrong.append(f"{name}: {type(error).__name__} {error}")
            on_done(next(done))

    turns = itertools.islice(itertools.cycle(endings.items()), calls)
    await asyncio.gather(*(make(name, ending, number) for number, (name, ending) in enumerate(turns)))
    return wrong


async def _at_rest(stack: Stack, before: Census | None) -> Census:
    """The census when nobody calls any more; if it is not what it was, the one after all waiting."""
    until = time.monotonic() + _AT_REST_S
    while True:
        now = await count(stack)
        if not now.more_than(before or now) or time.monotonic() > until:
            return now
        await asyncio.sleep(_LOOK_EVERY_S)


async def _run(calls: int, at_once: int, seed: int) -> Soaked:
    with run_folder("calls") as folder:
        async with running_stack(folder, proxied=False, settings=LIMITS) as stack:
            return await soak(stack, SOON | LATE, first=calls // 5, calls=calls, at_once=at_once, seed=seed)


def main(arguments: Sequence[str]) -> int:
    """Read the command line, call, write; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos calls", description=__doc__)
    parser.add_argument("--calls", type=int, default=1000, help="after a fifth as many")
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    soaked = asyncio.run(_run(given.calls, given.at_once, given.seed))
    took_s = round(time.monotonic() - began, 1)
    slopes = soaked.mib_per_100_calls
    figures = {
        **{"machine": machine(), "took_s": took_s, "left": soaked.left, "mib_per_100_calls": slopes},
        **asdict(soaked),
    }
    report("chaos-calls", figures)
    print(f"{soaked.calls} calls in {took_s} s: {dict(soaked.endings)}")
    print(f"left of them: {soaked.left or 'nothing'}")
    judged = given.calls >= MEMORY_TELLS
    print(f"MiB for 100 calls: {slopes}{'' if judged else ', too few to tell'}")
    for line in soaked.wrong:
        print(line, file=sys.stderr)
    grown = judged and max(slopes.values()) > MIB_PER_100_CALLS
    return 1 if soaked.left or soaked.wrong or grown else 0
