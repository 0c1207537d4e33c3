"""Calls that Moshi answers, through a whole stack: the simulated one, whose answers are known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from dialtone.local.state import StackState
from tests.fixtures.gateway import Gateway, running_gateway
from tests.fixtures.nats import free_port
from tests.fixtures.waiting import eventually
from tests.llm.moshi.moshi_call import ANSWER_BYTES, PAUSE_BYTES, silence, tone

from .caller import Caller, calling

MOSHI = "moshi"


async def _ask(caller: Caller) -> None:
    """What the simulated Moshi answers, sent as fast as it goes."""
    for part in (tone(0.4), silence(3.5)):
        for at in range(0, len(part), 2_400):
            await caller.send_audio(part[at : at + 2_400].tobytes())


def _transcripts(caller: Caller) -> list[str]:
    return [event.transcript for event in caller.of("response.output_audio_transcript.done")]


async def test_what_moshi_says_is_a_response_with_sound_and_words(stack: StackState) -> None:
    async with calling(stack.url, model=MOSHI) as caller:
        await _ask(caller)
        done = await caller.until("response.done")
    assert done.response.status == "completed"
    assert _transcripts(caller) == ["This is simulated answer 1."]
    deltas = [event.delta for event in caller.of("response.output_audio_transcript.delta")]
    assert len(deltas) == 5
    assert "".join(deltas) == "This is simulated answer 1."
    assert len(caller.audio()) == ANSWER_BYTES + PAUSE_BYTES


async def test_two_calls_at_once_do_not_hear_each_other(stack: StackState) -> None:
    async with calling(stack.url, model=MOSHI) as one, calling(stack.url, model="moshi-sft") as other:
        await _ask(one)
        await one.until("response.done")
        await other.send_audio(silence(1.0).tobytes())
        await _ask(one)
        await one.until("response.done")
        await _ask(other)
        await other.until("response.done")
    assert _transcripts(one) == ["This is simulated answer 1.", "This is simulated answer 2."]
    assert _transcripts(other) == ["This is simulated answer 1."]
    assert len(other.of("response.created")) == 1


class _Worker:
    """A Moshi worker of a gateway, as a process."""

    def __init__(self, gateway: Gateway, **settings: str) -> None:
        port = str(free_port())
        given = {"NATS_URL": gateway.nats.url, "STAGES": "simulated", "HTTP_PORT": port, **settings}
        self.url = f"http://127.0.0.1:{port}"
        self.log = gateway.log.with_name(f"moshi-{port}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dialtone.llm.moshi"],
                env={**os.environ, **given},
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        try:
            async with httpx.AsyncClient(timeout=2) as http:
                return (await http.get(f"{self.url}/readyz")).status_code == 200
        except httpx.TransportError:
            return False


@asynccontextmanager
async def _workers(gateway: Gateway, count: int, **settings: str) -> AsyncIterator[list[_Worker]]:
    workers = [_Worker(gateway, **settings) for _ in range(count)]
    try:
        for worker in workers:
            await eventually(worker.ready, within_s=60)
        yield workers
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.wait()


async def test_a_call_that_finds_no_slot_waits_and_is_overloaded_if_none_comes(tmp_path: Path) -> None:
    settings = {"MOSHI_VARIANTS": "sft", "WORK_CLAIM_TIMEOUT_MOSHI_S": "3"}
    with running_gateway(tmp_path, **settings) as gateway:
        async with _workers(gateway, 1, MOSHI_SLOTS="1"):
            async with calling(gateway.url, model=MOSHI) as waiting:
                async with calling(gateway.url, model=MOSHI) as first:
                    await _ask(first)
                    await first.until("response.done")
                    async with calling(gateway.url, model=MOSHI) as refused:
                        await _ask(refused)
                        assert (await _error(refused)).code == "overloaded"
                    await _ask(waiting)  # the one before hangs up in time
                await waiting.until("response.done")
                assert _transcripts(waiting) == ["This is simulated answer 1."]
            assert _transcripts(first) == ["This is simulated answer 1."]


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGKILL, id="killed"),
        pytest.param(signal.SIGSTOP, id="frozen", marks=pytest.mark.chaos),
    ],
)
async def test_a_call_outlives_its_moshi(tmp_path: Path, number: signal.Signals) -> None:
    with running_gateway(tmp_path, MOSHI_VARIANTS="sft") as gateway:
        async with (
            _workers(gateway, 2, MOSHI_SLOTS="1") as workers,
            calling(gateway.url, model=MOSHI) as caller,
        ):
            await _ask(caller)
            await caller.until("response.done")
            holder = await _holder(workers)
            os.kill(holder.process.pid, number)
            await _ask(caller)
            done = await caller.until("response.done")
            assert done.response.status == "completed"
            said = _transcripts(caller)
            assert len(said) == 2
            assert said[1].startswith("This is simulated answer")


async def _error(caller: Caller) -> Any:
    return (await caller.until("error")).error


async def _holder(workers: list[_Worker]) -> _Worker:
    """The worker that has the one call."""
    for worker in workers:
        async with httpx.AsyncClient(timeout=5) as http:
            text = (await http.get(f"{worker.url}/metrics")).text
        if "dialtone_moshi_open_slots 1.0" in text:
            return worker
    raise AssertionError("nobody has the call")
