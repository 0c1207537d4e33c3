"""The handler's promises, whatever the engine: seen with the simulated one."""

import asyncio
import math
from typing import Any

import numpy as np
import pytest

from dialtone.audio import alaw_decode, ulaw_decode
from dialtone.bus import Handler, WorkError
from dialtone.tts.engines.simulated import SimulatedEngine
from dialtone.tts.settings import TtsSettings
from dialtone.tts.speaker import Speaker
from dialtone.tts.voices import Voice, VoiceRegistry
from dialtone.v1.common_pb2 import (
    AUDIO_ENCODING_PCM16,
    AUDIO_ENCODING_PCMA,
    AUDIO_ENCODING_PCMU,
    AudioFormat,
)
from tests.tts.leases import SentenceLease, assert_continuous, loudness


async def test_the_simulated_voice_keeps_its_timing(simulated: Handler) -> None:
    lease = SentenceLease("Hello there, friend.")
    await simulated(lease)
    assert lease.ended.duration_us == 20 * 60_000
    assert assert_continuous(lease.chunks) == lease.ended.duration_us
    assert 0.050 <= lease.times[0] < 0.100
    assert lease.times[-1] < 0.6  # it plays for 1.2 s
    assert lease.ended.first_chunk_us >= 50_000
    assert lease.ended.compute_us >= lease.ended.first_chunk_us
    assert abs(int(lease.pcm[0])) > 8_000, "not silent from the first sample"
    assert lease.ended.voice == "simulated"
    assert lease.ended.notice == ""


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 48_000])
async def test_any_rate_of_pcm(simulated: Handler, rate: int) -> None:
    lease = SentenceLease("A few words.", target=AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=rate))
    await simulated(lease)
    assert lease.ended.duration_us == 12 * 60_000
    assert len(lease.audio) == 2 * 12 * 60 * rate // 1000
    spectrum = np.abs(np.fft.rfft(lease.pcm[: rate // 2].astype(float)))
    assert np.argmax(spectrum) == 100  # 200 Hz, in bins of 2 Hz


@pytest.mark.parametrize(
    ("encoding", "decode"), [(AUDIO_ENCODING_PCMU, ulaw_decode), (AUDIO_ENCODING_PCMA, alaw_decode)]
)
async def test_g711(simulated: Handler, encoding: Any, decode: Any) -> None:
    lease = SentenceLease("Hello.", target=AudioFormat(encoding=encoding, sample_rate=8_000))
    await simulated(lease)
    assert len(lease.audio) == 6 * 60 * 8
    assert loudness(decode(lease.audio)) == pytest.approx(0.3 / math.sqrt(2) * 32768, rel=0.03)


@pytest.mark.parametrize("rate", [8_000, 24_000])
async def test_what_was_delivered_is_left_out(simulated: Handler, rate: int) -> None:
    target = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=rate)
    whole = SentenceLease("Hello there, friend.", target=target)
    await simulated(whole)
    taken = 5
    delivered_us = whole.chunks[taken].start_us
    rest = SentenceLease("Hello there, friend.", target=target, delivered_us=delivered_us)
    await simulated(rest)
    assert b"".join(chunk.audio for chunk in whole.chunks[:taken]) + rest.audio == whole.audio
    assert assert_continuous(rest.chunks, start_us=delivered_us) == rest.ended.duration_us
    assert rest.ended.duration_us == whole.ended.duration_us


async def test_a_sentence_that_was_all_delivered_is_done_without_audio(simulated: Handler) -> None:
    lease = SentenceLease("Hi.", delivered_us=180_000)
    await simulated(lease)
    assert lease.chunks == []
    assert lease.ended.duration_us == 180_000


@pytest.mark.parametrize("text", ["", "   ", "😀👍", "...!?", "**", "---", "<br/>", "🎉"])
async def test_nothing_to_speak_is_no_error(simulated: Handler, text: str) -> None:
    lease = SentenceLease(text)
    await simulated(lease)
    assert lease.chunks == []
    assert lease.ended.duration_us == 0
    assert lease.ended.notice == "nothing to speak"


@pytest.mark.parametrize(
    "voice",
    [
        {"length_scale": 0.0},
        {"length_scale": math.nan},
        {"noise_scale": -1.0},
        {"noise_scale_w": math.inf},
        {"speed": 0.0},
        {"speed": 1000.0},
    ],
)
async def test_parameters_out_of_range_are_refused(simulated: Handler, voice: dict[str, Any]) -> None:
    lease = SentenceLease("Hello.", **voice)
    with pytest.raises(WorkError, match=next(iter(voice))) as refusal:
        await simulated(lease)
    assert (refusal.value.code, refusal.value.retryable) == ("invalid_voice", False)
    assert lease.chunks == []


async def test_text_without_end_is_refused(simulated: Handler) -> None:
    with pytest.raises(WorkError) as refusal:
        await simulated(SentenceLease("word " * 1000))
    assert refusal.value.code == "text_too_long"


async def test_an_unknown_format_is_refused(simulated: Handler) -> None:
    with pytest.raises(WorkError) as refusal:
        await simulated(SentenceLease("Hello.", target=AudioFormat(sample_rate=24_000)))
    assert refusal.value.code == "unsupported_format"


async def test_a_language_that_nobody_speaks_is_reported() -> None:
    english = Voice("one", "en", SimulatedEngine())
    speaker = Speaker(VoiceRegistry({"one": english}, {}), TtsSettings())
    lease = SentenceLease("你好，世界。")
    with pytest.raises(WorkError, match="zh") as refusal:
        await speaker.handle(lease)
    assert (refusal.value.code, refusal.value.retryable) == ("unspeakable_text", False)
    assert lease.chunks == []


async def test_a_cancelled_sentence_stops_at_once(simulated: Handler) -> None:
    lease = SentenceLease("word " * 300)
    task = asyncio.ensure_future(simulated(lease))
    await lease.first_chunk.wait()
    task.cancel()
    await asyncio.wait({task}, timeout=1)
    assert task.cancelled()
    sent = len(lease.chunks)
    await asyncio.sleep(0.05)
    assert len(lease.chunks) == sent
    assert lease.done is None


async def test_what_is_not_spoken_as_asked_is_said_and_logged(capsys: pytest.CaptureFixture[str]) -> None:
    robot = Voice("robot", "zh", SimulatedEngine(), fallback=True, any_script=True)
    lease = SentenceLease("你好")
    await Speaker(VoiceRegistry({}, {"zh": robot}), TtsSettings()).handle(lease)
    assert lease.ended.notice == "fallback voice robot speaks zh"
    logged = "".join(capsys.readouterr())
    assert lease.ended.notice in logged
    assert "你好" not in logged
