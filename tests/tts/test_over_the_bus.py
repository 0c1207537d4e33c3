"""The stage on a real broker, with the gateway's side of the contract."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from dialtone.bus import Bus, Handler, LeaseWorker, Stage
from dialtone.settings import BusSettings
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.speech_pb2 import Sentence, SentenceResume
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import CallSide, until
from tests.tts.leases import PCM_24K, assert_continuous


@pytest.fixture
async def call(bus: Bus, bus_settings: BusSettings, simulated: Handler) -> AsyncIterator[CallSide]:
    """A call beside a worker of the stage, each with a connection of its own."""
    await bus.ensure_stage(Stage.TTS, "default")
    side = await CallSide(bus, "call-1").open()
    worker_bus = await Bus.connect(bus_settings, name="tts")
    worker = LeaseWorker(worker_bus, Stage.TTS, simulated, slots=2, worker_id="tts-1")
    running = asyncio.create_task(worker.run())
    yield side
    await worker.stop()
    await running
    await worker_bus.close()
    await side.close()


def work(lease_id: str, text: str) -> Work:
    sentence = Sentence(response_id="r1", text=text, format=PCM_24K)
    return Work(lease_id=lease_id, call_id="call-1", session_id="s1", sentence=sentence)


async def test_a_sentence_becomes_chunks_and_an_end(bus: Bus, call: CallSide) -> None:
    await bus.submit(Stage.TTS, "default", work("s1", "Hello there."))
    await until(lambda: bool(call.of("sentence_done")), "the sentence")
    chunks = [event.audio for event in call.of("audio")]
    assert assert_continuous(chunks) == 12 * 60_000
    assert [event.seq for event in call.events] == list(range(len(call.events)))
    assert call.events[-1].WhichOneof("body") == "sentence_done"


async def test_a_new_attempt_sends_only_the_rest(bus: Bus, call: CallSide) -> None:
    call.grant = lambda _claim: Grant(granted=True, sentence=SentenceResume(delivered_us=140_000))
    await bus.submit(Stage.TTS, "default", work("s1", "Hello there."))
    await until(lambda: bool(call.of("sentence_done")), "the sentence")
    chunks = [event.audio for event in call.of("audio")]
    assert assert_continuous(chunks, start_us=140_000) == 12 * 60_000


async def test_a_cancelled_sentence_falls_silent(bus: Bus, call: CallSide) -> None:
    await bus.submit(Stage.TTS, "default", work("s1", "word " * 390))
    await until(lambda: bool(call.of("audio")), "audio")
    await call.cancel("s1")
    await bus.submit(Stage.TTS, "default", work("s2", "Next."))
    await until(lambda: bool(call.of("sentence_done", "s2")), "the next sentence")
    assert call.of("sentence_done", "s1") == []
    assert call.of("failed", "s1") == []


async def test_a_sentence_that_cannot_be_spoken_fails_for_good(bus: Bus, call: CallSide) -> None:
    bad = work("s1", "Hello.")
    bad.sentence.voice.speed = 1000
    await bus.submit(Stage.TTS, "default", bad)
    await until(lambda: bool(call.of("failed")), "the failure")
    failed = call.of("failed")[0].failed
    assert (failed.error.code, failed.error.retryable, failed.final) == ("invalid_voice", False, True)
