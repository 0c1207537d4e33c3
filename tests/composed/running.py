"""What is done with the composition while it runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from dialtone.local.call.turn import CallFailed
from tests.composed import scraped
from tests.composed.calls import Happening, Line, Protocol, held_call, shown, turn_problems
from tests.composed.composition import FILE, KEY, Composition
from tests.composed.confinement import container_problems
from tests.composed.engine import Engine, EngineFailed
from tests.deploy.rendered import ROOT, SERVICES
from tests.fixtures.nats import free_port

_UP_S = 900.0  # with the models to be fetched
_SCRAPED_S = 60.0
_SERVERS = ("nats", "valkey", "postgres")
_QUESTIONS = ROOT / ".run" / "questions"
PROTOCOLS: tuple[Protocol, ...] = ("realtime", "voice_call")


@dataclass(frozen=True, slots=True)
class Wanted:
    stages: str
    turns: int
    folder: Path


def run_composition(engine: Engine, wanted: Wanted, figures: dict[str, Any], console: Console) -> None:
    """Bring it up, look at it, call through it and take it away. Adds to `figures`. Raises EngineFailed."""
    services, left_out = _to_be_had(engine)
    figures["not_run"] += [f"{name}: its image is not here" for name in left_out]
    gateway, prometheus = free_port(), free_port()
    ports = {"gateway": {8000: gateway}, "prometheus": {9090: prometheus}}
    composition = Composition(engine, wanted.folder, services, ports, wanted.stages)
    if left := composition.down():
        raise EngineFailed(f"of an earlier run there is still {left}")
    try:
        console.print(f"starting {', '.join(services)}")
        figures["ready_s"] = round(composition.up(_UP_S), 1)
        figures["problems"] += _confinement(composition, figures)
        line = Line(f"http://127.0.0.1:{gateway}", KEY, _QUESTIONS)
        _calls(composition, line, wanted, figures, console)
        if "prometheus" in services:
            url = f"http://127.0.0.1:{prometheus}"
            wrong = scraped.problems(url, "dialtone_turn_seconds_count", _SCRAPED_S)
            figures["problems"] += wrong
            figures["scraped"] = [] if wrong else sorted(scraped.JOBS)
        figures["recordings"] = _recordings(composition)
        if not figures["recordings"]:
            figures["problems"].append("no call was recorded")
    except EngineFailed:
        console.print(composition.logs(), style="dim", markup=False, highlight=False)
        raise
    finally:
        left = composition.down()
    figures["left"] = left
    figures["problems"] += [f"left behind: {name}" for name in left]


def _to_be_had(engine: Engine) -> tuple[list[str], list[str]]:
    """The services whose images are here, and the others: only those of a profile may be missing."""
    images = {
        name: service["image"] for name, service in yaml.safe_load(FILE.read_text())["services"].items()
    }
    here = [name for name, image in images.items() if engine.has_image(image)]
    if missing := {*SERVICES, "models", *_SERVERS} - set(here):
        raise EngineFailed(
            f"no image of {', '.join(sorted(missing))} (--stand-ins makes those of the servers)"
        )
    return here, [name for name in images if name not in here]


def _confinement(composition: Composition, figures: dict[str, Any]) -> list[str]:
    running = [name for name in composition.services if name != "models"]  # which has ended
    found = {
        name: list(container_problems(composition.engine, composition.container(name))) for name in running
    }
    figures["confined"] = [name for name, wrong in found.items() if not wrong]
    return [f"{name}: {problem}" for name, wrong in found.items() for problem in wrong]


def _calls(
    composition: Composition, line: Line, wanted: Wanted, figures: dict[str, Any], console: Console
) -> None:
    """A call by each protocol, and one in which each service but the gateway is restarted."""
    restarts = ("vad-asr", "llm", "tts", "nats", "valkey", "postgres")
    plan: list[tuple[str, Protocol, int, Happening | None]] = [
        *((f"{protocol}", protocol, wanted.turns, None) for protocol in PROTOCOLS),
        *((f"restart {name}", "realtime", 3, partial(composition.restart, name)) for name in restarts),
    ]
    figures["calls"] = {}
    for title, protocol, turns, happening in plan:
        console.rule(title)
        try:
            held = asyncio.run(held_call(line, console, protocol, turns, happening))
        except CallFailed as failure:
            figures["problems"].append(f"{title}: {failure}")
            continue
        figures["calls"][title] = [shown(turn) for turn in held]
        figures["problems"] += [f"{title}: {problem}" for problem in turn_problems(held, protocol)]


def _recordings(composition: Composition) -> int:
    """How many calls the gateway has recorded onto its volume."""
    listed = composition.engine.run("exec", composition.container("gateway"), "ls", "/recordings")
    return len([name for name in listed.split() if name.endswith(".jsonl")])
