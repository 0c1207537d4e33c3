"""Calls that Moshi answers, as both protocols have them, in real time: spoken over, refused, and lost in the
middle of an utterance."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from dialtone.local.call.recording import Recording, has_voice
from dialtone.local.state import StackState
from tests.contract.bus.call_side import until
from tests.contract.worker.test_process import ROOT, WorkerProcess
from tests.fixtures.gateway_processes import joining

from .caller import RATE, Caller, calling
from .moshi_caller import Mouth
from .voice_caller import RATE as VOICE_RATE
from .voice_caller import VoiceCaller, new_session, voice_calling

ANSWER = "This is simulated answer 1."
FAULTS = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP, "drained": signal.SIGTERM}


@asynccontextmanager
async def talking(url: str, model: str, **session: Any) -> AsyncIterator[tuple[Caller, Mouth]]:
    async with calling(url, model=model) as caller:
        if session:
            wanted: Any = {"type": "realtime", **session}
            await caller.connection.session.update(session=wanted)
            await caller.until("session.updated")
        async with Mouth(caller.send_audio, RATE).open() as mouth:
            yield caller, mouth


async def test_what_the_user_says_is_told_where_the_session_asks_and_interrupts_moshi(
    stack: StackState, question: Recording
) -> None:
    heard = {"transcription": {"model": "whisper-1"}, "turn_detection": {"type": "server_vad"}}
    async with talking(stack.url, "moshi-sft", audio={"input": heard}) as (caller, mouth):
        mouth.say(question)
        await caller.until("conversation.item.input_audio_transcription.completed")
        if not caller.of("response.output_audio.delta"):
            await caller.until("response.output_audio.delta")
        mouth.say(question)
        done = await caller.until("response.done")
        assert (done.response.status, done.response.status_details.reason) == ("cancelled", "turn_detected")
        muted = len(caller.of("response.output_audio.delta"))
        await caller.until("conversation.item.input_audio_transcription.completed")
        later = caller.of("response.output_audio.delta")[muted:]
        assert done.response.id not in {delta.response_id for delta in later}
        assert not caller.of("error")


async def test_voice_call_has_moshis_sound_and_its_sentences(stack: StackState) -> None:
    session = await new_session(stack.url, llm={"model": "moshi"})
    async with voice_calling(stack.url, session["id"]) as caller:
        async with Mouth(caller.send, VOICE_RATE).open() as mouth:
            mouth.ask()
            while not caller.sentences:
                await caller.read()
        await caller.send(is_close=True)
        assert await caller.read_to_the_end() == 1000
    assert caller.sentences == [ANSWER]
    assert has_voice(caller.sound)
    assert all(isinstance(m, bytes) or m["type"] == "text" for m in caller.got)


async def test_a_moshi_that_is_not_served_is_refused_by_name(stack: StackState) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with calling(stack.url, model="moshi-pretrain"):
            pytest.fail("it was let in")
    assert refused.value.response.status_code == 404
    assert b"model_not_found" in refused.value.response.body
    assert b"moshi-pretrain" in refused.value.response.body
    session = await new_session(stack.url, llm={"model": "moshi-base"})
    async with voice_calling(stack.url, session["id"]) as caller:
        await caller.send(b"\0\0" * 320)
        assert (await caller.error())["code"] == 404
        assert await caller.read_to_the_end() == 1008


async def test_a_secret_for_a_moshi_with_instructions_is_refused_by_name(stack: StackState) -> None:
    async with httpx.AsyncClient(base_url=stack.url) as http:
        wanted = {"session": {"type": "realtime", "model": "moshi", "instructions": "Be kind."}}
        answer = await http.post("/v1/realtime/client_secrets", json=wanted)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "session.instructions")
        del wanted["session"]["instructions"]
        answer = await http.post("/v1/realtime/client_secrets", json=wanted)
        assert answer.status_code == 200, answer.text
        assert answer.json()["session"]["audio"]["output"]["voice"] == "moshi"
        assert answer.json()["session"]["audio"]["input"]["turn_detection"] is None


# --- workers that are lost


@asynccontextmanager
async def moshi_workers(stack: StackState) -> AsyncIterator[Callable[[], Awaitable[WorkerProcess]]]:
    """Starts workers of a variant that nobody else uses."""
    environment = {
        **os.environ,
        **{"NATS_URL": stack.nats_url, "HTTP_PORT": "0", "STAGES": "simulated"},
        **{"MOSHI_VARIANT": "base", "MOSHI_SLOTS": "2"},
    }
    started: list[WorkerProcess] = []

    async def start() -> WorkerProcess:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dialtone.llm.moshi"),
            cwd=ROOT,
            env=environment,
            stderr=asyncio.subprocess.PIPE,
        )
        worker = WorkerProcess(process)
        started.append(worker)
        await until(lambda: worker.logged("ready") is not None, "a worker", timeout=60)
        return worker

    try:
        yield start
    finally:
        for worker in started:
            await worker.end()


@asynccontextmanager
async def two_workers(
    stack: StackState, folder: Path
) -> AsyncIterator[tuple[str, WorkerProcess, Callable[[], Awaitable[WorkerProcess]]]]:
    """A gateway of its own, a worker, and how to start the other."""
    async with (
        joining(stack, folder, MOSHI_VARIANTS="base") as gateway,
        moshi_workers(stack) as start,
    ):
        yield gateway.url, await start(), start


@pytest.mark.chaos
@pytest.mark.parametrize("fault", list(FAULTS))
async def test_a_realtime_call_goes_on_when_its_moshi_is_lost_in_the_middle_of_an_utterance(
    stack: StackState, tmp_path: Path, fault: str
) -> None:
    async with two_workers(stack, tmp_path) as (url, lost, start), talking(url, "moshi-base") as call:
        caller, mouth = call
        await until(lambda: lost.logged("listening") is not None, "the leg", timeout=30)
        await start()
        mouth.ask()
        await caller.until("response.output_audio.delta")
        os.kill(lost.process.pid, FAULTS[fault])
        done = await caller.until("response.done")
        assert (done.response.status, done.response.status_details.error.code) == ("failed", "worker_lost")
        item_id = done.response.output[0].id
        again = await caller.until("response.done")
        assert again.response.status == "completed"
        assert again.response.output[0].id != item_id
        assert again.response.output[0].content[0].transcript.endswith("simulated answer 1.")
        mouth.ask()
        last = await caller.until("response.done")
        assert last.response.output[0].content[0].transcript == "This is simulated answer 2."
        assert not caller.of("error")


@pytest.mark.chaos
@pytest.mark.parametrize("fault", list(FAULTS))
async def test_a_voice_call_goes_on_when_its_moshi_is_lost_in_the_middle_of_an_utterance(
    stack: StackState, tmp_path: Path, fault: str
) -> None:
    async with two_workers(stack, tmp_path) as (url, lost, start):
        session = await new_session(url, llm={"model": "moshi-base"})
        async with voice_calling(url, session["id"]) as caller, _mouth(caller) as mouth:
            await until(lambda: lost.logged("listening") is not None, "the leg", timeout=30)
            await start()
            mouth.ask()
            while not caller.sound:
                await caller.read()
            os.kill(lost.process.pid, FAULTS[fault])
            while not caller.sentences:
                await caller.read()
            assert caller.sentences[0].endswith("simulated answer 1.")
            errors = [m for m in caller.got if isinstance(m, dict) and m["type"] == "error"]
            assert len(errors) == 1


def _mouth(caller: VoiceCaller) -> Any:
    return Mouth(caller.send, VOICE_RATE).open()
