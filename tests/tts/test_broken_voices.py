"""Voices break: the sentence fails with a reason, the others are heard in order, and the worker goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from dialtone.audio import Float32
from dialtone.bus import Bus, HandBack, Handler, LeaseWorker, Stage, WorkError
from dialtone.fence import ModelCrashed, ModelGone, ModelHung, ModelProcess
from dialtone.settings import BusSettings
from dialtone.tts.engines.base import SpeechFailed, Style, UnknownSpeaker
from dialtone.tts.engines.piper import PiperEngine
from dialtone.tts.engines.piper_models import PiperModels
from dialtone.tts.engines.simulated import SimulatedEngine
from dialtone.tts.settings import TtsSettings
from dialtone.tts.speaker import Speaker
from dialtone.tts.voices import EVERY_LANGUAGE, Voice, VoiceRegistry
from dialtone.v1.speech_pb2 import Sentence
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import CallSide, until
from tests.tts.leases import PCM_24K, SentenceLease, assert_continuous
from tests.tts.test_piper import LONG, STILL

BROKEN = "This sentence breaks it."


class BrokenEngine(SimulatedEngine):
    """Speaks as the simulated one, but for BROKEN, where it gives a good block and then does `misdeed`."""

    def __init__(self, misdeed: Callable[[], AsyncGenerator[Float32, None]], *, good: int = 1) -> None:
        super().__init__()
        self.sample_rate = 24_000
        self._misdeed = misdeed
        self._good = good

    async def speak(self, text: str, style: Style) -> AsyncGenerator[Float32, None]:
        if text != BROKEN:
            async for block in super().speak(text, style):
                yield block
            return
        for _ in range(self._good):
            yield np.full(2_400, 0.5, dtype=np.float32)
        async for block in self._misdeed():
            yield block


async def _raises() -> AsyncGenerator[Float32, None]:
    raise KeyError("ə")
    yield np.zeros(1, dtype=np.float32)


async def _fails() -> AsyncGenerator[Float32, None]:
    raise SpeechFailed("as it says itself")
    yield np.zeros(1, dtype=np.float32)


async def _nothing() -> AsyncGenerator[Float32, None]:
    yield np.zeros(0, dtype=np.float32)


async def _no_number() -> AsyncGenerator[Float32, None]:
    yield np.array([0.1, np.nan, 0.1], dtype=np.float32)


async def _infinite() -> AsyncGenerator[Float32, None]:
    yield np.array([0.1, np.inf, 0.1], dtype=np.float32)


async def _endless() -> AsyncGenerator[Float32, None]:
    while True:
        yield np.full(24_000, 0.5, dtype=np.float32)
        await asyncio.sleep(0)


async def _hangs() -> AsyncGenerator[Float32, None]:
    await asyncio.sleep(3600)
    yield np.zeros(1, dtype=np.float32)


def _speaker(engine: SimulatedEngine, **settings: object) -> Speaker:
    voice = Voice("broken", EVERY_LANGUAGE, engine, any_script=True)
    quick = TtsSettings.model_validate({"tts_block_timeout_s": 0.3, **settings})
    return Speaker(VoiceRegistry({"broken": voice}, {}), quick)


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (BrokenEngine(_raises), "KeyError"),
        (BrokenEngine(_fails), "as it says itself"),
        (BrokenEngine(_nothing, good=0), "no audio"),
        (BrokenEngine(_no_number), "not a number"),
        (BrokenEngine(_infinite), "not a number"),
        (BrokenEngine(_endless), "without end"),
        (BrokenEngine(_hangs), "no audio for 0.3 s"),
    ],
    ids=["raises", "fails", "gives nothing", "NaN", "infinite", "endless", "hangs"],
)
async def test_a_sentence_that_breaks_its_voice_fails_and_the_next_does_not(
    engine: SimulatedEngine, reason: str
) -> None:
    speaker = _speaker(engine)
    lease = SentenceLease(BROKEN, index=1)
    with pytest.raises(WorkError, match=reason) as failed:
        await asyncio.wait_for(speaker.handle(lease), 5)
    assert (failed.value.code, failed.value.retryable) == ("synthesis_failed", True)
    assert lease.done is None
    assert np.abs(lease.pcm.astype(int)).max(initial=0) < 20_000, "nothing is played but what was sound"
    well = SentenceLease("Hello there.", index=2)
    await speaker.handle(well)
    assert assert_continuous(well.chunks) == 12 * 60_000


@pytest.mark.parametrize("rate", [0, 10**9])
async def test_a_rate_that_is_none_fails_the_sentence(rate: int) -> None:
    engine = SimulatedEngine()
    engine.sample_rate = rate
    with pytest.raises(WorkError, match=f"audio of {rate} Hz") as failed:
        await _speaker(engine).handle(SentenceLease("Hello there."))
    assert failed.value.code == "synthesis_failed"


async def test_a_model_that_was_lost_with_a_sentence_is_not_given_it_again() -> None:
    async def crashes() -> AsyncGenerator[Float32, None]:
        raise ModelCrashed("SIGSEGV")
        yield np.zeros(1, dtype=np.float32)

    with pytest.raises(WorkError, match="SIGSEGV") as failed:
        await _speaker(BrokenEngine(crashes)).handle(SentenceLease(BROKEN))
    assert (failed.value.code, failed.value.retryable) == ("model_lost", False)


async def test_a_worker_without_its_model_hands_its_sentences_back() -> None:
    async def gone() -> AsyncGenerator[Float32, None]:
        raise ModelGone("no memory left")
        yield np.zeros(1, dtype=np.float32)

    with pytest.raises(HandBack, match="no memory left"):
        await _speaker(BrokenEngine(gone)).handle(SentenceLease(BROKEN))


@pytest.mark.parametrize(
    "trouble",
    [
        ModelCrashed("SIGSEGV"),
        ModelHung("a step took more than 3 s"),
        ModelGone("no memory"),
        UnknownSpeaker("7"),
    ],
)
async def test_the_next_of_a_list_speaks_what_a_model_was_lost_with(trouble: Exception) -> None:
    async def breaks() -> AsyncGenerator[Float32, None]:
        raise trouble
        yield np.zeros(1, dtype=np.float32)

    first = Voice("first", EVERY_LANGUAGE, BrokenEngine(breaks, good=0), any_script=True)
    second = Voice("second", EVERY_LANGUAGE, SimulatedEngine(), any_script=True)
    registry = VoiceRegistry({"first": first, "second": second, "both": ("first", "second")}, {})
    lease = SentenceLease(BROKEN, name="both")
    await Speaker(registry, TtsSettings()).handle(lease)
    assert lease.ended.voice == "second"


# --- at the bus


@pytest.fixture
async def call(bus: Bus, bus_settings: BusSettings) -> AsyncIterator[CallSide]:
    """A call beside a worker whose voice hangs in BROKEN."""
    await bus.ensure_stage(Stage.TTS, "default")
    side = await CallSide(bus, "call-1").open()
    worker_bus = await Bus.connect(bus_settings, name="tts")
    handler = _speaker(BrokenEngine(_hangs)).handle
    worker = LeaseWorker(worker_bus, Stage.TTS, handler, slots=2, worker_id="tts-1")
    running = asyncio.create_task(worker.run())
    yield side
    await worker.stop()
    await running
    await worker_bus.close()
    await side.close()


async def test_a_sentence_that_hangs_is_tried_twice_and_given_up_while_others_are_spoken(
    bus: Bus, call: CallSide
) -> None:
    texts = ["The first.", BROKEN, "The third.", "The fourth."]
    for index, text in enumerate(texts):
        sentence = Sentence(response_id="r1", index=index, text=text, format=PCM_24K)
        work = Work(lease_id=f"s{index}", call_id="call-1", session_id="s1", sentence=sentence)
        await bus.submit(Stage.TTS, "default", work)
    await until(lambda: len(call.of("sentence_done")) == 3, "the others")
    await until(lambda: any(event.failed.final for event in call.of("failed")), "the end of the second")
    assert [event.failed.error.code for event in call.of("failed", "s1")] == ["synthesis_failed"] * 2
    assert {event.lease_id for event in call.of("sentence_done")} == {"s0", "s2", "s3"}
    assert call.attempts("s1") == [0, 1]


# --- Piper in its process


@pytest.fixture
def patient(piper_process: ModelProcess[PiperModels], model_file: Path) -> Handler:
    """A handler that waits for a model that is loaded again, however busy the machine is."""
    engine = PiperEngine("joe", model_file, piper_process)
    settings = TtsSettings(tts_block_timeout_s=100)
    return Speaker(VoiceRegistry({"joe": Voice("joe", "en", engine)}, {}), settings).handle


@pytest.mark.models
async def test_a_sentence_goes_on_when_its_model_is_killed(
    piper_process: ModelProcess[PiperModels], patient: Handler
) -> None:
    whole = SentenceLease(LONG, index=1, **STILL)
    await patient(whole)
    lease = SentenceLease(LONG, index=1, **STILL)
    task = asyncio.ensure_future(patient(lease))
    await lease.first_chunk.wait()
    psutil.Process(piper_process.pid).kill()
    await task
    assert lease.audio == whole.audio


@pytest.mark.models
async def test_a_model_that_hangs_costs_one_sentence(
    piper_process: ModelProcess[PiperModels], patient: Handler
) -> None:
    await until(lambda: piper_process.ready, "a process, where a test before this one killed it", timeout=30)
    psutil.Process(piper_process.pid).suspend()
    lease = SentenceLease("The weather today is sunny and warm.")
    with pytest.raises(WorkError) as failed:
        await asyncio.wait_for(patient(lease), 30)
    assert (failed.value.code, failed.value.retryable) == ("model_lost", False)
    well = SentenceLease("The weather today is sunny and warm.")
    await patient(well)
    assert well.ended.duration_us > 1_000_000
