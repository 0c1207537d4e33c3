"""Puts load on a gateway: `make load CALLS=50 MINUTES=2`.

Without --url a stack of simulated stages is started for it, and ended after. Locust's figures are written to
build/load_*.csv and build/load.html; the exit status is 1 past a limit.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from dialtone.local.settings import checkout
from tests.bench.simulated import SILENCE_MS, simulated_questions
from tests.bench.stack import BUILD, running_stack
from tests.load.shapes import SHAPES

_V2V_P95_MS = 800.0  # of simulated stages, whose turns take 500
_COME_S = 10.0  # in which all callers come, where the shape does not say otherwise


@contextmanager
def gateway(url: str, console: Console) -> Iterator[str]:
    """The gateway at `url`, or that of a stack of our own."""
    if url:
        yield url
        return
    # As many calls as are asked for come from one address here.
    os.environ.setdefault("MAX_CALLS", "1000")
    with running_stack("simulated", console) as stack:
        yield stack.url


def locust(given: argparse.Namespace, url: str, questions: Sequence[Path], more: Sequence[str]) -> int:
    """Run it without a window; its exit status."""
    BUILD.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("locustfile.py"))]
    command += ["--headless", "--only-summary", "--host", url, "--shape", given.shape]
    command += ["--users", str(given.calls), "--run-time", f"{round(given.minutes * 60)}s"]
    command += ["--spawn-rate", str(max(1.0, given.calls / _COME_S)), "--stop-timeout", "0"]
    command += ["--csv", str(BUILD / "load"), "--html", str(BUILD / "load.html")]
    for question in questions:
        command += ["--question", str(question)]
    if not given.url:
        command += ["--silence-ms", str(SILENCE_MS), "--v2v-p95-ms", str(_V2V_P95_MS)]
    return subprocess.run([*command, *more], cwd=checkout(), check=False).returncode


def main() -> int:
    """Read the command line, make the load; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.load", description=__doc__, epilog="Other options are locust's."
    )
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="steady")
    parser.add_argument("--url", default="", help="http://HOST:PORT of a gateway that runs")
    parser.add_argument(
        "--wav", type=Path, action="append", default=[], help="what is asked; may be repeated"
    )
    given, more = parser.parse_known_args()
    console = Console(stderr=True)
    questions = given.wav or simulated_questions(console)
    with gateway(given.url, console) as url:
        return locust(given, url, questions, more)


if __name__ == "__main__":
    sys.exit(main())
