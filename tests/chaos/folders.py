"""Where the lanes leave things: each run in a folder of its own, and its figures at a name that is known.

So two runs at once do not meet; the one that ends last has its figures there.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.bench.stack import BUILD

RUNS = BUILD / "chaos"


@contextmanager
def run_folder(lane: str, runs: Path = RUNS) -> Iterator[Path]:
    """An empty folder in `runs` for a run of this lane. It stays, for its logs, until the next run begins."""
    runs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as exits:
        with _locked(runs):
            for old in runs.glob(f"{lane}-*"):
                with suppress(BlockingIOError), _locked(old, fcntl.LOCK_NB):  # else its run goes on
                    shutil.rmtree(old)
            folder = Path(mkdtemp(prefix=f"{lane}-", dir=runs))
            exits.enter_context(_locked(folder))
        yield folder


@contextmanager
def _locked(folder: Path, or_fail: int = 0) -> Iterator[None]:
    """Hold a lock that goes with the process, however that ends. Raises BlockingIOError with `LOCK_NB`."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | or_fail)
        yield
    finally:
        os.close(opened)


def report(name: str, figures: Mapping[str, Any], table: str = "") -> None:
    """Write build/NAME.json, and the table, if there is one, to build/NAME.md."""
    BUILD.mkdir(exist_ok=True)
    _replace(BUILD / f"{name}.json", json.dumps(figures, indent=1))
    if table:
        _replace(BUILD / f"{name}.md", table)


def _replace(path: Path, text: str) -> None:
    """At once, for another run may do the same."""
    whole = path.with_name(f"{path.name}.{os.getpid()}")
    whole.write_text(text)
    whole.replace(path)
