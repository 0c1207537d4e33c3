"""The load: many callers in a process of its own.

    python -m tests.bench.client --url ws://127.0.0.1:8000 --calls 5 --turns 10 --question q.wav --out r.json

The callers begin spread over `--spread` seconds, at times that `--seed` decides. Written are every
turn, the monotonic times between which all callers were talking, and how punctual this client itself was: a
client that is late measures itself.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import time
from array import array
from pathlib import Path
from typing import Any

import uvloop

from tests.bench.caller import Caller, Script
from tests.bench.figures import percentiles
from tests.bench.question import load_question
from tests.bench.wire import append_frame


async def run(script: Script, calls: int, spread_s: float, seed: int) -> dict[str, Any]:
    """Make the calls and return the results."""
    lateness = array("d")
    dice = random.Random(seed)
    starts = sorted(dice.uniform(0.0, spread_s) for _ in range(calls))
    talking: list[float] = []
    ended: list[float] = []
    callers = [
        Caller(n, script, seed, lateness, lambda: talking.append(time.monotonic())) for n in range(calls)
    ]

    async def one(caller: Caller, start: float) -> list[dict[str, Any]]:
        await asyncio.sleep(start)
        turns = await caller.call()
        ended.append(time.monotonic())
        return [turn.as_dict() for turn in turns]

    began, cpu = time.monotonic(), time.process_time()
    turns = await asyncio.gather(*(one(caller, start) for caller, start in zip(callers, starts, strict=True)))
    took = time.monotonic() - began
    return {
        "calls": calls,
        "steady": [max(talking, default=began), min(ended, default=began)],
        "client": {
            "cpu_share": round((time.process_time() - cpu) / took, 4),
            "frames": len(lateness),
            "late_ms": percentiles(lateness),
            "most_unsent_bytes": max((caller.most_unsent for caller in callers), default=0),
        },
        "turns": [turn for turns_of_call in turns for turn in turns_of_call],
    }


def main() -> None:
    """Read the command line, make the calls, write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True, help="ws://HOST:PORT of the gateway")
    parser.add_argument("--calls", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5, help="measured turns of each call")
    parser.add_argument("--question", type=Path, action="append", required=True, help="WAV; may be repeated")
    parser.add_argument("--silence-ms", type=int, help="silence that ends a turn")
    parser.add_argument("--spread", type=float, default=10.0, help="seconds over which the calls begin")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()

    questions = [load_question(path) for path in given.question]
    frames = [tuple(append_frame(pcm) for pcm in question.frames) for question in questions]
    script = Script(given.url, given.turns, given.silence_ms, questions, frames)
    gc.collect()
    gc.freeze()  # what was loaded so far is not looked through again while it is measured
    results = uvloop.run(run(script, given.calls, given.spread, given.seed))
    given.out.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
