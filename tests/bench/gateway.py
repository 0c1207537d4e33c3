"""The gateway alone, between a lean client and a lean worker process.

- CPU per inbound 20 ms frame at 80 calls that only send.
- Duplex calls a core carries with the 99th percentile of the delay through it, in both directions, within
  10 ms. The delay is from the client's or the worker's stamping a frame to the other end's having it, broker
  and sockets included.
- Memory of an idle call: resident bytes at 500 idle calls minus those at none.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from dialtone.local.plan import StackPlan, make_plan
from dialtone.local.process import SupervisedProcess
from dialtone.local.settings import StackSettings, checkout
from tests.bench.figures import markdown_table, percentiles
from tests.bench.sampling import Sampler, sample
from tests.bench.stack import BUILD, machine

LIMIT_MS = 10.0
FRAME_CALLS = 80
IDLE_CALLS = 500
_MOST_CALLS = 2000
_SECONDS = 15.0
_FOLDER = BUILD / "bench"


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """A kind of duplex call: `in_ms` frames up; `out_ms` chunks down, on `speaking` of the calls."""

    in_ms: int
    out_ms: int
    speaking: float
    calls: tuple[int, ...]  # how many to try, in rising order


# A caller is spoken to for about half of a conversation; 1.0 is everybody being spoken to at the same time.
SHAPES = (
    Shape(20, 20, 0.5, (40, 60, 80, 100, 120)),
    Shape(20, 20, 1.0, (40, 60, 80, 100)),
    Shape(40, 100, 0.5, (100, 150, 200, 250)),
    Shape(40, 100, 1.0, (100, 150, 200, 250)),
)
QUICK_SHAPES = (Shape(20, 20, 0.5, (20,)), Shape(40, 100, 0.5, (40,)))


def run_gateway(*, quick: bool, console: Console) -> dict[str, Any]:
    """Measure on a gateway with its broker and its stores, without workers, and return the figures."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_run(QUICK_SHAPES if quick else SHAPES, 5.0 if quick else _SECONDS, console))


async def _run(shapes: tuple[Shape, ...], seconds: float, console: Console) -> dict[str, Any]:
    described = machine()
    async with _servers() as (plan, pids):
        bench = _Bench(plan, pids, seconds, console)
        await asyncio.to_thread(bench.warm_up)
        memory = await asyncio.to_thread(bench.idle_memory)
        frames = await asyncio.to_thread(bench.cpu_per_frame)
        duplex = [await asyncio.to_thread(bench.duplex, shape) for shape in shapes]
    return {"machine": described, "inbound": frames, "duplex": duplex, "idle": memory}


class _Bench:
    def __init__(self, plan: StackPlan, pids: dict[str, int], seconds: float, console: Console) -> None:
        self._url = f"ws{plan.url.removeprefix('http')}"
        self._nats_url = plan.nats_url
        self._pids = pids
        self._seconds = seconds
        self._console = console

    def warm_up(self) -> None:
        """What the first calls of a process bring about is not measured."""
        self._stream(calls=10, in_ms=20, out_ms=20, speaking=0.5, seconds=2.0)

    def cpu_per_frame(self) -> dict[str, Any]:
        """80 calls send, nothing comes back."""
        run = self._stream(calls=FRAME_CALLS, in_ms=20, out_ms=20, speaking=0.0, seconds=self._seconds)
        figures = {
            "calls": FRAME_CALLS,
            "cpu_us_per_frame": round(run["cpu"]["gateway"] / (FRAME_CALLS * 50) * 1e6, 1),
            **run,
        }
        self._say(f"inbound: {figures['cpu_us_per_frame']} us of CPU a frame, {_delays(run)}")
        return figures

    def duplex(self, shape: Shape) -> dict[str, Any]:
        """Ever more calls, until the delay is over the limit twice in a row."""
        steps: list[dict[str, Any]] = []
        for calls in shape.calls:
            run = self._stream(
                calls=calls,
                in_ms=shape.in_ms,
                out_ms=shape.out_ms,
                speaking=shape.speaking,
                seconds=self._seconds,
            )
            worst = max((run[way].get("p99", 0.0) for way in ("in_ms", "out_ms")), default=0.0)
            held = worst <= LIMIT_MS and not run["failures"] and bool(run["out_ms"])
            steps.append({"calls": calls, "held": held, **run})
            self._say(
                f"duplex {shape.in_ms}/{shape.out_ms} ms, {shape.speaking:.0%} spoken to, {calls} calls: "
                f"{_delays(run)}, gateway {run['cpu']['gateway']:.2f} core"
                + ("" if held else ", over the limit")
            )
            if len(steps) > 1 and not held and not steps[-2]["held"]:
                break  # one miss may be the machine's, two are the gateway's
        return {
            "in_ms": shape.in_ms,
            "out_ms": shape.out_ms,
            "speaking": shape.speaking,
            "held_calls": max((step["calls"] for step in steps if step["held"]), default=0),
            "steps": steps,
        }

    def idle_memory(self) -> dict[str, Any]:
        """Connections that have sent nothing but their session's configuration."""
        before = sample(self._pids)["gateway"].rss
        run = self._stream(calls=IDLE_CALLS, in_ms=0, out_ms=20, speaking=0.0, seconds=5.0)
        per_call = (run["gateway_rss"] - before) / IDLE_CALLS
        figures = {
            "calls": IDLE_CALLS,
            "rss_before_mib": round(before / 2**20, 1),
            "kib_per_call": round(per_call / 1024, 1),
            "failures": run["failures"],
        }
        self._say(f"idle: {figures['kib_per_call']} KiB a call at {IDLE_CALLS} calls")
        return figures

    def _stream(
        self, *, calls: int, in_ms: int, out_ms: int, speaking: float, seconds: float
    ) -> dict[str, Any]:
        out = _FOLDER / "streams.json"
        heard = _FOLDER / "peer.json"
        command = [sys.executable, "-m", "tests.bench.streams", "--url", self._url, "--out", str(out)]
        command += ["--calls", str(calls), "--frame-ms", str(in_ms), "--speaking", str(speaking)]
        with _peer(self._nats_url, out_ms, seconds + 10.0, heard) as peer:
            with Sampler({**self._pids, "peer": peer}) as sampler:
                subprocess.run([*command, "--seconds", str(seconds)], check=True, cwd=checkout())
            client = json.loads(out.read_text())
        start, end = client["steady"]
        inbound = [age * 1e3 for at, age in json.loads(heard.read_text()) if start <= at <= end]
        return {
            "in_ms": percentiles(inbound),
            "in_frames": len(inbound),
            "out_ms": percentiles(client["out_ms"]),
            "out_frames": len(client["out_ms"]),
            "cpu": {**sampler.cpu_share(start, end), "client": round(client["cpu_share"], 4)},
            "gateway_rss": sampler.rss(end - 0.5)["gateway"],
            "client_late_ms": client["late_ms"],
            "failures": client["failures"][:5],
        }

    def _say(self, line: str) -> None:
        self._console.print(f"gateway: {line}", highlight=False, soft_wrap=True)


@asynccontextmanager
async def _servers() -> AsyncIterator[tuple[StackPlan, dict[str, int]]]:
    """Broker, store and gateway of one's own; yields the plan and the process ids."""
    run_dir = _FOLDER / "run-gateway"
    (run_dir / "logs").mkdir(parents=True, exist_ok=True)
    plan = make_plan(StackSettings(port=0, run_dir=run_dir))
    limits = {"MAX_CALLS": str(_MOST_CALLS)}
    gateway = dataclasses.replace(plan.gateway, environment={**plan.gateway.environment, **limits})
    started: list[SupervisedProcess] = []
    try:
        for one in (*plan.servers, gateway):
            process = SupervisedProcess(one, run_dir / "logs", lambda: None)
            await process.start()
            started.append(process)
            if not await process.ready_or_gone():
                raise RuntimeError("\n".join([f"{one.name} ended:", *process.last_lines(15)]))
        yield plan, {process.plan.name: process.state.pid for process in started}
    finally:
        for process in reversed(started):
            await process.stop()


@contextmanager
def _peer(nats_url: str, chunk_ms: int, speech_s: float, out: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.bench.peer", "--chunk-ms", str(chunk_ms), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--speech-s", str(speech_s)],
        cwd=checkout(),
        env={**os.environ, "NATS_URL": nats_url},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the peer did not start")
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()


def _delays(run: dict[str, Any]) -> str:
    ways = (("in", run["in_ms"]), ("out", run["out_ms"]))
    return ", ".join(f"{way} p50 {values['p50']} p99 {values['p99']} ms" for way, values in ways if values)


def to_markdown(figures: dict[str, Any]) -> str:
    """The tables of `run_gateway`."""
    inbound, idle = figures["inbound"], figures["idle"]
    delay = inbound["in_ms"]
    head = (
        "in/out ms",
        "spoken to",
        "calls",
        "in p50",
        "in p99",
        "out p50",
        "out p99",
        "gateway, core",
        "held",
    )
    rows = [
        (
            f"{shape['in_ms']}/{shape['out_ms']}",
            f"{shape['speaking']:.0%}",
            step["calls"],
            *(step[way].get(name) for way in ("in_ms", "out_ms") for name in ("p50", "p99")),
            f"{step['cpu']['gateway']:.2f}",
            "yes" if step["held"] else "no",
        )
        for shape in figures["duplex"]
        for step in shape["steps"]
    ]
    return "\n".join(
        [
            "## Gateway\n",
            f"- CPU per inbound 20 ms frame at {inbound['calls']} calls: "
            f"**{inbound['cpu_us_per_frame']} us** (delay p50 {delay.get('p50')}, p99 {delay.get('p99')} ms)",
            f"- Memory of an idle call: **{idle['kib_per_call']} KiB** at {idle['calls']} calls",
            *(
                f"- Duplex calls at p99 <= {LIMIT_MS:.0f} ms, {shape['in_ms']}/{shape['out_ms']} ms chunks, "
                f"{shape['speaking']:.0%} of them spoken to: **{shape['held_calls']}** (the most tried: "
                f"{shape['steps'][-1]['calls']})"
                for shape in figures["duplex"]
            ),
            "",
            markdown_table(head, rows),
        ]
    )
