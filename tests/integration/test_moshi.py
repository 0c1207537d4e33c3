"""Calls that Moshi answers, through a whole stack: the simulated one, whose answers are known."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from dialtone.local.state import StackState
from tests.fixtures.gateway import running_gateway
from tests.fixtures.moshi_workers import moshi_workers
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


async def test_a_call_that_finds_no_slot_waits_and_is_overloaded_if_none_comes(tmp_path: Path) -> None:
    settings = {"MOSHI_VARIANTS": "sft", "WORK_CLAIM_TIMEOUT_MOSHI_S": "3"}
    with running_gateway(tmp_path, **settings) as gateway:
        async with moshi_workers(gateway, 1, STAGES="simulated", MOSHI_SLOTS="1"):
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
        pytest.param(signal.SIGTERM, id="told to leave", marks=pytest.mark.chaos),
    ],
)
async def test_a_call_outlives_its_moshi(tmp_path: Path, number: signal.Signals) -> None:
    with running_gateway(tmp_path, MOSHI_VARIANTS="sft") as gateway:
        async with (
            moshi_workers(gateway, 2, STAGES="simulated", MOSHI_SLOTS="1") as workers,
            calling(gateway.url, model=MOSHI) as caller,
        ):
            await _ask(caller)
            await caller.until("response.done")
            [holder] = [worker for worker in workers if await worker.calls()]
            os.kill(holder.process.pid, number)
            await _ask(caller)
            done = await caller.until("response.done")
            assert done.response.status == "completed"
            said = _transcripts(caller)
            assert len(said) == 2
            assert said[1].startswith("This is simulated answer")


async def _error(caller: Caller) -> Any:
    return (await caller.until("error")).error
