"""The llm worker at the bus: work in, events out."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from dialtone.bus import Bus, LeaseWorker, Stage
from dialtone.llm.handler import TurnHandler
from dialtone.llm.service import make_registry
from dialtone.llm.settings import LlmSettings
from dialtone.settings import BusSettings
from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.turn_pb2 import LlmTurn, TurnDone, TurnResume
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import CallSide, until
from tests.fixtures.chat_answers import openai_chunk
from tests.fixtures.chat_server import API_KEY, ChatServer, Cut, Reply, sse
from tests.fixtures.nats import free_port
from tests.llm.conversations import turn


@pytest.fixture
async def call(bus: Bus) -> AsyncIterator[CallSide]:
    await bus.ensure_stage(Stage.LLM, "default")
    side = await CallSide(bus, "call-1").open()
    yield side
    await side.close()


@asynccontextmanager
async def _worker(bus: Bus, chat_server: ChatServer) -> AsyncIterator[None]:
    settings = LlmSettings.model_validate(
        {"openai_base_url": chat_server.url, "openai_api_key": API_KEY, "llm_default_model": "openai"}
    )
    registry = make_registry(settings)
    worker = LeaseWorker(bus, Stage.LLM, TurnHandler(registry), slots=4, worker_id="llm-1")
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        await worker.stop()
        await running
        await registry.close()


async def _submit(call: CallSide, asked: LlmTurn, lease_id: str = "lease-1") -> None:
    work = Work(lease_id=lease_id, call_id=call.call_id, session_id="s1", turn=asked)
    await call.bus.submit(Stage.LLM, "default", work)


def _text(call: CallSide, attempt: int | None = None) -> str:
    events = [event for event in call.of("text") if attempt in (None, event.attempt)]
    return "".join(event.text.text for event in events)


async def test_a_turn_is_answered_in_order(bus: Bus, call: CallSide, chat_server: ChatServer) -> None:
    async with _worker(bus, chat_server):
        await _submit(call, turn("Hi", model="gpt-realtime"))
        await until(lambda: bool(call.of("turn_done")), "the answer")
    assert [event.seq for event in call.events] == list(range(len(call.events)))
    assert call.events[-1].WhichOneof("body") == "turn_done"
    assert _text(call) == "You said something, and this is the answer."
    done = call.events[-1].turn_done
    assert done.finish_reason == TurnDone.FINISH_REASON_STOP
    assert 0 < done.first_token_us <= done.compute_us
    assert done.usage.input_tokens == 21
    assert chat_server.seen[0].body["model"] == "gpt-4o-mini"


async def test_a_cancelled_turn_stops_the_model(bus: Bus, call: CallSide, chat_server: ChatServer) -> None:
    chat_server.script.append(Reply([sse(openai_chunk({"content": "la "}))], forever=True))
    async with _worker(bus, chat_server):
        await _submit(call, turn("Sing", model="openai"))
        await until(lambda: len(call.of("text")) > 3, "some text")
        await call.cancel("lease-1")
        await chat_server.until_idle(0.5)
    assert not call.of("turn_done")


async def test_a_failure_says_why_and_the_next_turn_works(
    bus: Bus, call: CallSide, chat_server: ChatServer
) -> None:
    async with _worker(bus, chat_server):
        chat_server.script.append(Reply([b"{}"], 401, "application/json"))
        await _submit(call, turn("Hi", model="openai"))
        await _submit(call, turn("Hi", model="nonesuch"), "lease-2")
        await until(lambda: len(call.of("failed")) == 2, "both failures")
        await _submit(call, turn("Hi", model="openai"), "lease-3")
        await until(lambda: bool(call.of("turn_done", "lease-3")), "the next answer")
    codes = {event.lease_id: event.failed.error.code for event in call.of("failed")}
    assert codes == {"lease-1": "invalid_api_key", "lease-2": "model_not_found"}
    assert all(event.failed.final for event in call.of("failed"))


async def test_a_new_attempt_goes_on_from_what_was_delivered(
    bus: Bus, call: CallSide, chat_server: ChatServer
) -> None:
    heard = [sse(openai_chunk({"content": word})) for word in ("The sun", " is shining.")]
    again = [sse(openai_chunk({"content": word})) for word in ("The sun", " is shining.", " Take a hat.")]
    chat_server.script += [
        Reply([*heard, 0.05, Cut]),
        Reply([*again, sse(openai_chunk({}, "stop")), b"data: [DONE]\n\n"]),
    ]

    def grant(claim: WorkerEvent) -> Grant:
        if not claim.attempt:
            return Grant(granted=True)
        return Grant(granted=True, turn=TurnResume(delivered_text=_text(call)))

    call.grant = grant
    async with _worker(bus, chat_server):
        await _submit(call, turn("Hi", model="openai"))
        await until(lambda: bool(call.of("turn_done")), "the answer")
    assert call.attempts("lease-1") == [0, 1]
    assert _text(call) == "The sun is shining. Take a hat."


async def test_the_process_becomes_ready_answers_and_leaves(
    bus_settings: BusSettings, call: CallSide
) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "NATS_URL": bus_settings.nats_url,
        "HTTP_PORT": str(port),
        "STAGES": "simulated",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialtone.llm", env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await _until_ready(http)
            await _submit(call, turn("Hi", model="anything"))
            await until(lambda: bool(call.of("turn_done")), "the answer")
            assert "dialtone_llm_first_token_seconds" in (await http.get("/metrics")).text
        assert _text(call).startswith("I can help with that. ")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until_ready(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if (await http.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
