"""A recording that is all in its work, heard by workers on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from dialtone.bus import Bus, LeaseWorker, Stage
from dialtone.gateway.core.context import Limits
from dialtone.settings import BusSettings
from dialtone.v1.common_pb2 import AudioFormat
from dialtone.v1.ears_pb2 import Recording, Transcript, Transcription
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.work_pb2 import Work
from dialtone.vad_asr.service import Ears
from tests.contract.bus.call_side import CallSide, until
from tests.fixtures.client_formats import FORMATS
from tests.fixtures.speech import Samples, recording, silence, voice_like
from tests.vad_asr.conftest import ScriptedRecognizer
from tests.vad_asr.ears_call import PCM16_16K
from tests.vad_asr.test_formats import encoded


@pytest.fixture
async def call(bus: Bus) -> AsyncIterator[CallSide]:
    side = await CallSide(bus, "call-recording").open()
    await bus.ensure_stage(Stage.ASR, "default")
    yield side
    await side.close()


@asynccontextmanager
async def working(settings: BusSettings, ears: Ears) -> AsyncIterator[None]:
    own = await Bus.connect(settings, name="w1")
    worker = LeaseWorker(own, Stage.ASR, ears.handle, slots=2, worker_id="w1")
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        await own.close()


async def submit(
    call: CallSide, audio: bytes, form: AudioFormat = PCM16_16K, wanted: Transcription | None = None
) -> None:
    body = Recording(audio=audio, format=form, transcription=wanted)
    await call.bus.submit(Stage.ASR, "default", Work(lease_id="l1", call_id=call.call_id, recording=body))


async def heard(call: CallSide) -> Transcript:
    await until(lambda: bool(call.of("transcript")), "the words", timeout=30.0)
    (event,) = call.of("transcript")
    final: Transcript = event.transcript
    assert (final.kind, final.utterance) == (Transcript.KIND_FINAL, 0)
    return final


def sound(*parts: Samples) -> bytes:
    return np.concatenate(parts).astype("<i2").tobytes()


async def test_it_has_one_answer_and_then_is_done(
    call: CallSide, bus_settings: BusSettings, simulated_ears: Ears
) -> None:
    async with working(bus_settings, simulated_ears):
        await submit(call, sound(silence(0.3), voice_like(1.0), silence(0.3), voice_like(0.5)))
        final = await heard(call)
    assert final.text == "simulated question 1"
    assert abs(final.audio_end_us - 2_100_000) <= 20_000
    assert [event.WhichOneof("body") for event in call.events] == ["claim", "transcript"]


async def test_where_nobody_speaks_in_all_that_a_message_holds_there_are_no_words(
    call: CallSide, bus_settings: BusSettings, simulated_ears: Ears
) -> None:
    async with working(bus_settings, simulated_ears):
        await submit(call, bytes(Limits().recording_bytes))
        final = await heard(call)
    assert (final.text, final.HasField("error")) == ("", False)


async def test_a_long_one_is_heard_whole_in_passages(
    call: CallSide, bus_settings: BusSettings, scripted_ears: Ears, recognizer: ScriptedRecognizer
) -> None:
    audio = encoded(np.concatenate([voice_like(50.0), silence(3.0), voice_like(2.0)]), "pcmu")
    async with working(bus_settings, scripted_ears):
        await submit(call, audio, FORMATS["pcmu"], Transcription(language="de", prompt="Ada"))
        await heard(call)
    asked = [passage for batch in recognizer.batches for passage in batch]
    assert len(asked) >= 4
    assert all(passage.seconds <= 20 for passage in asked)
    assert sum(passage.seconds for passage in asked) == pytest.approx(52.5, abs=1.0)
    assert {(passage.language, passage.prompt) for passage in asked} == {("de", "Ada")}


async def test_a_format_that_is_none_fails_for_good(
    call: CallSide, bus_settings: BusSettings, simulated_ears: Ears
) -> None:
    async with working(bus_settings, simulated_ears):
        await submit(call, bytes(3200), AudioFormat(sample_rate=16_000))
        await until(lambda: bool(call.of("failed")), "the failure")
    (event,) = call.of("failed")
    assert (event.failed.final, event.failed.error.code) == (True, "unsupported_format")


async def test_one_that_is_refused_is_not_heard(
    call: CallSide, bus_settings: BusSettings, scripted_ears: Ears, recognizer: ScriptedRecognizer
) -> None:
    call.grant = lambda _claim: Grant(granted=False, reason="cancelled")
    async with working(bus_settings, scripted_ears):
        await submit(call, sound(voice_like(1.0)))
        await until(lambda: bool(call.attempts("l1")), "the claim")
    assert not recognizer.batches


@pytest.mark.models
async def test_its_words_are_understood(call: CallSide, bus_settings: BusSettings, real_ears: Ears) -> None:
    said = np.concatenate([silence(0.3), recording("en_weather_question").samples(), silence(0.3)])
    async with working(bus_settings, real_ears):
        await submit(call, encoded(said, "pcm"), FORMATS["pcm"])
        final = await heard(call)
    assert "whatistheweatherinparis" in "".join(filter(str.isalnum, final.text.lower()))
    assert final.language == "en"
