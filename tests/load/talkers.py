"""Locust's side of the process that talks."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import gevent
from gevent.queue import Queue

from tests.load.lines import Ended, HangUp, Opened, Pace, Place, Protocol, Turn, read_report, write_line

_QUIT_S = 10.0


class Talkers:
    """One talking process, for greenlets. Lost with it are its calls: each ends with a failure."""

    def __init__(self, arguments: Sequence[str], on_pace: Callable[[Pace], None]) -> None:
        """`arguments`: of `tests.load.talker`."""
        self._numbers = itertools.count(1)
        self._calls: dict[int, Queue[Opened | Turn | Ended]] = {}
        self._on_pace = on_pace
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.load.talker", *arguments],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._reading = gevent.spawn(self._read)

    def call(self, protocol: Protocol, turns: int) -> Iterator[Opened | Turn | Ended]:
        """Make a call; what becomes of it, `Ended` last. It is hung up when nobody listens any more."""
        number = next(self._numbers)
        reports: Queue[Opened | Turn | Ended] = Queue()
        self._calls[number] = reports
        self._send(write_line(Place(number, protocol, turns)))
        ended = False
        try:
            while not ended:
                report = reports.get()
                ended = isinstance(report, Ended)
                yield report
        finally:
            if not ended:
                self._send(write_line(HangUp(number)))
                self._calls.pop(number, None)

    def close(self) -> None:
        """Hang up all calls and end the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_QUIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reading.join()

    def _send(self, line: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            self._lose()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            report = read_report(line)
            if isinstance(report, Pace):
                self._on_pace(report)
            elif reports := self._calls.get(report.call):
                reports.put(report)
                if isinstance(report, Ended):
                    del self._calls[report.call]
        self._lose()

    def _lose(self) -> None:
        for number, reports in self._calls.items():
            reports.put(Ended(number, "the process that talks has ended"))
        self._calls.clear()
