"""Callers for locust: `make load`, or

    locust -f tests/load/locustfile.py --headless -u 50 -r 5 -t 2m --question q.wav -H http://127.0.0.1:8000

Figures: a row for each measure and protocol, times in ms; how the load itself did is told in the log and,
with --csv NAME, in NAME_generator.json. The exit status is 1 past a limit.
"""

from __future__ import annotations

import logging
import random
import re
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from locust import LoadTestShape, User, between, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner
from locust.stats import StatsEntry

from tests.load import limits
from tests.load.generator import Generator
from tests.load.lines import Ended, Opened, Pace, Protocol, Turn
from tests.load.shapes import SHAPES
from tests.load.talkers import Talkers

log = logging.getLogger(__name__)
_ID = re.compile(r"\b[a-z]+_[A-Za-z0-9]{16,}\b")  # with those of responses no two failures are alike


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_options(parser: LocustArgumentParser) -> None:
    """What this file adds to locust's own options."""
    group = parser.add_argument_group("Dialtone")
    group.add_argument("--question", action="append", default=[], help="WAV that is asked; may be repeated")
    group.add_argument("--shape", choices=sorted(SHAPES), default="steady", help="how the calls come and go")
    group.add_argument("--turns", type=int, default=6, help="of a call, at most")
    group.add_argument("--voice-call-share", type=float, default=0.2, help="of calls by that protocol")
    group.add_argument("--interrupt", type=float, default=0.1, help="share of the answers talked into")
    group.add_argument("--hang-up", type=float, default=0.1, help="share of the calls that end inside a turn")
    group.add_argument("--silence-ms", type=int, default=0, help="that ends a turn; 0: the gateway's default")
    group.add_argument("--v2v-p95-ms", type=float, default=0.0, help="limit of voice to voice; 0: none")
    group.add_argument("--gap-p95-ms", type=float, default=100.0, help="limit of gaps in answers; 0: none")
    group.add_argument("--failed", type=float, default=0.0, help="limit of failed turns and calls, a share")
    group.add_argument("--late-frames", type=float, default=0.01, help="limit of the load's own late frames")


def options(environment: Environment) -> Namespace:
    """What was given on the command line."""
    assert environment.parsed_options is not None
    given: Namespace = environment.parsed_options
    return given


class Chosen(LoadTestShape):
    """The shape that was asked for, of as many users and as long as locust's own options say."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Users, and how many may come in a second; None at the end."""
        assert self.runner is not None
        given = options(self.runner.environment)
        seconds = float(given.run_time or 60)
        done = self.get_run_time() / seconds  # type: ignore[no-untyped-call]
        if done >= 1:
            return None
        share = SHAPES[given.shape](done)
        return max(1, round(share * (given.num_users or 1))), float(given.spawn_rate or given.num_users or 1)


class Caller(User):
    """Calls, talks, hangs up, and calls again after a while."""

    wait_time = between(0.5, 2.0)

    @task
    def call(self) -> None:
        """One call."""
        given = options(self.environment)
        protocol: Protocol = "voice_call" if random.random() < given.voice_call_share else "realtime"
        turns = random.randint(max(1, given.turns // 2), max(1, given.turns))
        for report in _talkers[id(self.environment)].call(protocol, turns):
            for name, ms, failure in measures(report):
                self.environment.events.request.fire(
                    request_type=protocol,
                    name=name,
                    response_time=ms,
                    response_length=0,
                    exception=RuntimeError(_ID.sub("...", failure)) if failure else None,
                    context={},
                )


def measures(report: Opened | Turn | Ended) -> Iterator[tuple[str, float, str]]:
    """What a report gives to the figures: name, ms, and why it failed."""
    match report:
        case Opened(_, ms):
            yield limits.OPENING, ms, ""
        case Ended(_, failure, hung_up):
            yield limits.CALL, 0.0, failure
            if hung_up:
                yield limits.HANG_UP, 0.0, ""
        case Turn() as turn:
            yield limits.TURN, turn.v2v_ms or 0.0, turn.failure
            if turn.failure:
                return
            measured = {
                limits.V2V: turn.v2v_ms,
                limits.FIRST_AUDIO: turn.first_audio_ms,
                limits.GAP: turn.gap_ms,
                limits.STOP: turn.stop_ms,
            }
            yield from ((name, ms, "") for name, ms in measured.items() if ms is not None)


# --- the process that talks: one for each of locust's own

_talkers: dict[int, Talkers] = {}
_generators: dict[int, Generator] = {}
_broken: list[str] = []


@events.init.add_listener  # type: ignore[untyped-decorator]
def check(environment: Environment, **_given: Any) -> None:
    """Say at once what is missing."""
    if not environment.host or not options(environment).question:
        sys.exit("--host and at least one --question are needed")


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def start_talkers(environment: Environment, **_given: Any) -> None:
    """Before any user is there."""
    if isinstance(environment.runner, MasterRunner):
        return
    given = options(environment)
    arguments = ["--url", str(environment.host)]
    arguments += ["--interrupt", str(given.interrupt), "--hang-up", str(given.hang_up)]
    if given.silence_ms:
        arguments += ["--silence-ms", str(given.silence_ms)]
    for question in given.question:
        arguments += ["--question", question]
    generator = _generators[id(environment)] = Generator()

    def take(pace: Pace) -> None:
        generator.add(pace)
        log.info(
            "%d calls; the talking process uses %.2f of a core, its frames are late by %.1f ms at p99",
            pace.calls,
            pace.cpu_s / pace.seconds,
            pace.late_p99_ms,
        )

    _talkers[id(environment)] = Talkers(arguments, take)


@events.quit.add_listener  # type: ignore[untyped-decorator]
def close_talkers(**_given: Any) -> None:
    """Hang up what still talks; say last what is wrong, below locust's tables."""
    while _talkers:
        _talkers.popitem()[1].close()
    for reason in _broken:
        print(f"limit: {reason}", file=sys.stderr)


def tell_of_the_load(environment: Environment) -> float:
    """Say and write how the load itself did; the share of its frames that were late."""
    generator = _generators.get(id(environment))
    report = generator.report() if generator else None
    if report is None:
        return 0.0  # a master, or too short a run: it has measured nothing either
    log.info("the load itself: %s", report.in_words())
    if prefix := options(environment).csv_prefix:
        Path(f"{prefix}_generator.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    return report.late_frames


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def judge(environment: Environment, **_given: Any) -> None:
    """Fail past a limit."""
    given = options(environment)
    late_frames = tell_of_the_load(environment)
    if given.worker:
        return  # its master judges the figures of all
    wanted = limits.Limits(
        given.v2v_p95_ms or None, given.gap_p95_ms or None, given.failed, given.late_frames
    )
    entries = environment.stats.entries

    def total(name: str) -> StatsEntry:
        found = StatsEntry(environment.stats, name, "", use_response_times_cache=False)
        for entry in entries.values():
            if entry.name == name:
                found.extend(entry)
        return found

    def p95(name: str) -> float | None:
        entry = total(name)
        return entry.get_response_time_percentile(0.95) if entry.num_requests else None

    def failed(name: str) -> float | None:
        entry = total(name)
        return entry.num_failures / entry.num_requests if entry.num_requests else None

    _broken.extend(wanted.broken(p95, failed, late_frames))
    environment.process_exit_code = 1 if _broken else 0
