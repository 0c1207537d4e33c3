"""Injects faults into a stack while callers talk, and prints what they heard.

Every turn of every caller is compared, to the sample, with what it would have been without the fault. Gaps
are silence beyond that of a turn without a fault: before the answer, and inside it. Among the faults, and in
no order, are turns to which nothing happens: what is measured of them is the machine's doing, and a fault
that costs no more has cost nothing. On a machine with other work that is easily 100 ms. Written to
build/chaos.json and build/chaos.md; what was wrong is told in the JSON. Exit status 1: something was wrong,
or a gap longer than is promised.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from tests.bench.stack import machine
from tests.chaos import idle, rolling, short_calls, soak
from tests.chaos.faults import Fault, all_faults
from tests.chaos.folders import report, run_folder
from tests.chaos.inside import Inside
from tests.chaos.machines import running_stack
from tests.chaos.storm import Outcome, storming
from tests.chaos.table import Row, markdown, promises, total

INTERRUPTED = 128 + signal.SIGINT
FAULTS_PER_QUIET_TURN, FEWEST_QUIET_TURNS = 6, 3


@dataclass
class Figures:
    """What came of a run. `quiet` is of the turns to which nothing happened."""

    rows: list[Row]
    quiet: Row = field(default_factory=lambda: Row("nothing", "any"))
    usual_s: float = 0.0
    """The silence of the last turns without a fault."""
    left: dict[str, float] = field(default_factory=dict)
    """Inside, when the calls were over."""

    @property
    def wrong(self) -> bool:
        return bool(self.left) or any(row.wrong for row in (*self.rows, self.quiet))


async def run(faults: list[Fault], tries: int, calls: int, seed: int, until: float) -> Figures:
    """Every fault `tries` times, in an order by chance; none is begun after `until` (monotonic clock)."""
    rows = {(fault.name, fault.place): Row(fault.name, fault.place) for fault in faults}
    order: list[Fault | None] = [*faults * tries]
    order += [None] * max(FEWEST_QUIET_TURNS, len(order) // FAULTS_PER_QUIET_TURN)
    random.Random(seed).shuffle(order)
    figures = Figures([*rows.values()])
    async with AsyncExitStack() as exits:
        stack = await exits.enter_async_context(running_stack(exits.enter_context(run_folder("faults"))))
        inside = await Inside.of(stack)
        async with storming(stack, calls=calls, seed=seed) as storm:
            await storm.warm_up()
            for number, fault in enumerate(order, 1):
                if time.monotonic() > until:
                    break
                row = rows[fault.name, fault.place] if fault else figures.quiet
                before, began = len(row.wrong), time.monotonic()
                outcome = await storm.strike(fault) if fault else Outcome(tuple(await storm.turn()), ())
                row.add(outcome, storm.usual_s)
                took = time.monotonic() - began
                print(f"{number}/{len(order)} {fault or 'nothing'} {took:.1f} s", file=sys.stderr)
                for wrong_turn in row.wrong[before:]:
                    print(f"    {wrong_turn}", file=sys.stderr)
            figures.usual_s = storm.usual_s
        figures.left = await inside.left()
    return figures


def faults_lane(arguments: Sequence[str]) -> int:
    """Read the command line, inject, write; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--tries", type=int, default=6, help="of each fault at each place")
    parser.add_argument("--calls", type=int, default=4, help="that talk at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="after which no more are injected")
    parser.add_argument("--only", default="", help="faults whose name or place holds this")
    given = parser.parse_args(arguments)
    faults = [fault for fault in all_faults() if given.only in str(fault)]
    if not faults:
        parser.error(f"no fault is called {given.only}")
    until = time.monotonic() + given.minutes * 60
    figures = asyncio.run(run(faults, given.tries, given.calls, given.seed, until))
    table = markdown(figures.rows, figures.quiet)
    written = {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "seed": given.seed,
        "calls": given.calls,
        "usual_silence_ms": round(figures.usual_s * 1e3),
        "left_inside": figures.left,
        "quiet": figures.quiet.as_dict(),
        "rows": [row.as_dict() for row in figures.rows],
        "total": total(figures.rows).as_dict(),
    }
    report("chaos", written, table)
    print(table)
    if figures.left:
        print(f"left inside: {figures.left}", file=sys.stderr)
    kept = promises(figures.rows)
    for promise, so in kept.items():
        print(f"{promise}: {'yes' if so else 'NO'}")
    return 1 if figures.wrong or not all(kept.values()) else 0


class _Skips:
    """Counts the tests that were skipped: a lane that tried nothing has shown nothing."""

    def __init__(self) -> None:
        self.count = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.count += report.skipped


def models_lane(arguments: Sequence[str]) -> int:
    """Kill workers that have the default models, which are to be in the cache."""
    skips = _Skips()
    status = pytest.main(
        ["tests/chaos/test_real_models.py", "-m", "models and chaos", *arguments], plugins=[skips]
    )
    return int(status) or int(skips.count > 0)


LANES: dict[str, Callable[[Sequence[str]], int]] = {
    "faults": faults_lane,
    "rolling": rolling.main,
    "calls": short_calls.main,
    "idle": idle.main,
    "soak": soak.main,
    "models": models_lane,
}


def main() -> int:
    """Run the lane that is named first, the faults where none is; the exit status."""
    # Of a shell's background job it is ignored, and that is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):  # else what was started would go on without the lane
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    lane, *rest = sys.argv[1:] if sys.argv[1:2] and sys.argv[1] in LANES else ["faults", *sys.argv[1:]]
    try:
        return LANES[lane](rest)
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
