"""The default voice: said right, divided without a trace, obedient to its parameters."""

import asyncio
import shutil
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import soxr

from dialtone.bus import Handler, WorkError
from dialtone.fence import ModelProcess
from dialtone.tts.engines.base import Style
from dialtone.tts.engines.piper import PiperEngine, piper_process
from dialtone.tts.engines.piper_models import PiperModels, cut_runs
from dialtone.tts.engines.vits import CONTEXT_FRAMES, Scales, UndividedModel, VitsModel, load_model, windows
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AudioFormat
from dialtone.worker import Loaded
from tests.tts.leases import SentenceLease, assert_continuous, loudness

LONG = (
    "I would be happy to help you find a good restaurant near the station that serves fresh fish "
    "and vegetables at a fair price this evening with friends."
)
STILL: dict[str, Any] = {"noise_scale": 0.0, "noise_scale_w": 0.0}
SCALES = Scales(noise=0.667, length=1.0, noise_w=0.8)


def test_windows_cover_every_frame_once() -> None:
    for frames in (0, 1, 7, 8, 9, 500):
        assert [frame for window in windows(frames) for frame in window] == list(range(frames))
    assert [len(window) for window in windows(300)] == [8, 16, 32, 64, 64, 64, 52]


def test_long_runs_are_cut_at_clauses_else_at_words() -> None:
    assert ["".join(run) for run in cut_runs(list("one two, three four"), 12)] == ["one two,", " three four"]
    assert ["".join(run) for run in cut_runs(list("one two three four"), 12)] == ["one two ", "three four"]
    assert ["".join(run) for run in cut_runs(list("a" * 25), 12)] == ["a" * 12, "a" * 12, "a"]


@pytest.fixture(scope="module")
def divided(model_file: Path) -> VitsModel:
    model = load_model(model_file, threads=1)
    assert isinstance(model, VitsModel)
    return model


@pytest.mark.models
def test_windows_sound_as_the_whole(divided: VitsModel) -> None:
    latent = divided.encode(list(range(1, 120)), SCALES, None, seed=1)
    frames = latent.frames.shape[2]
    whole = divided.decode(latent, range(frames))
    pieces = np.concatenate([divided.decode(latent, window) for window in windows(frames)])
    assert len(whole) == frames * 256 == len(pieces)
    assert np.abs(whole - pieces).max() * 32768 < 1
    assert CONTEXT_FRAMES >= 12


@pytest.mark.models
def test_the_two_halves_make_the_undivided_model(divided: VitsModel, model_file: Path) -> None:
    """Without any noise there is one right answer, that of the file as it came."""
    still = Scales(noise=0.0, length=1.0, noise_w=0.0)
    ids = [1, 20, 0, 59, 0, 24, 0, 120, 0, 27, 0, 100, 0, 3, 0, 35, 0, 14, 0, 61, 0, 2]
    whole = UndividedModel(model_file, onnxruntime.SessionOptions()).encode(ids, still, None, seed=0)
    latent = divided.encode(ids, still, None, seed=0)
    samples = divided.decode(latent, range(latent.frames.shape[2]))
    assert np.abs(samples - whole.frames.reshape(-1)).max() * 32768 < 2


@pytest.mark.models
async def test_a_model_without_named_parts_speaks_undivided(model_file: Path, tmp_path: Path) -> None:
    model = onnx.load(str(model_file))
    for number, node in enumerate(model.graph.node):
        node.name = f"node_{number}"
    onnx.save(model, str(tmp_path / "voice.onnx"))
    shutil.copy(f"{model_file}.json", tmp_path / "voice.onnx.json")
    process = piper_process({"other": tmp_path / "voice.onnx"})
    await process.start()
    engine = PiperEngine("other", tmp_path / "voice.onnx", process)
    blocks = [block async for block in engine.speak("Hello there.", Style())]
    await process.close()
    assert len(blocks) == 1
    assert 0.4 < len(blocks[0]) / engine.sample_rate < 2
    assert loudness((blocks[0] * 32768).astype(np.int16)) > 500


@pytest.mark.models
async def test_first_audio_does_not_wait_for_the_sentence(real: Handler) -> None:
    shares = []
    for _ in range(3):
        lease = SentenceLease(LONG)
        await real(lease)
        assert assert_continuous(lease.chunks) == lease.ended.duration_us
        shares.append(lease.times[0] / lease.times[-1])
    assert lease.chunks[0].duration_us == 40_000
    assert statistics.median(shares) < 0.5
    assert lease.ended.voice == "joe"
    assert lease.ended.notice == ""


@pytest.mark.models
async def test_without_noise_the_voice_repeats_itself(real: Handler) -> None:
    first, second = SentenceLease("The same again.", **STILL), SentenceLease("The same again.", **STILL)
    await real(first)
    await real(second)
    assert first.audio == second.audio


@pytest.mark.models
async def test_with_noise_only_the_texture_differs(real: Handler) -> None:
    first, second = SentenceLease("The same again.", index=1), SentenceLease("The same again.", index=1)
    await real(first)
    await real(second)
    assert first.audio != second.audio
    assert first.ended.duration_us == second.ended.duration_us


@pytest.mark.models
async def test_parameters_have_effect(real: Handler) -> None:
    async def length(**voice: Any) -> int:
        lease = SentenceLease("The weather today is sunny and warm.", **voice)
        await real(lease)
        return lease.ended.duration_us

    plain = await length(**STILL)
    assert await length(**STILL, length_scale=1.5) == pytest.approx(1.5 * plain, rel=0.15)
    assert await length(**STILL, speed=1.5) == pytest.approx(plain / 1.5, rel=0.15)
    assert await length(noise_scale=0.0, noise_scale_w=1.5) != plain


@pytest.mark.models
async def test_a_speaker_that_the_voice_lacks_is_refused(real: Handler) -> None:
    with pytest.raises(WorkError, match="one speaker") as refusal:
        await real(SentenceLease("Hello.", speaker_id="7"))
    assert (refusal.value.code, refusal.value.retryable) == ("invalid_voice", False)


@pytest.mark.models
@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
async def test_chunks_join_as_if_converted_at_once(
    real_stage: Loaded, piper_process: ModelProcess[PiperModels], model_file: Path, rate: int
) -> None:
    """No click or gap at a chunk's or window's edge: the same samples as of one conversion."""
    target = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=rate)
    lease = SentenceLease("The weather today is sunny and warm.", target=target, index=1, **STILL)
    await real_stage.handler(lease)
    engine = PiperEngine("joe", model_file, piper_process, gain=1.4)
    style = Style(noise_scale=0.0, noise_scale_w=0.0)
    text = "The weather today is sunny and warm."
    at_once = np.concatenate([block async for block in engine.speak(text, style)])
    expected = soxr.resample(at_once, engine.sample_rate, rate, quality="HQ") * 32768
    assert abs(len(expected) - len(lease.pcm)) <= 1
    shared = min(len(expected), len(lease.pcm))
    error = lease.pcm[:shared] - expected[:shared]
    assert np.abs(error).max() < 40  # -58 dBFS at worst
    assert np.sqrt(np.mean(error**2)) < 3


@pytest.mark.models
async def test_a_resumed_sentence_continues_in_the_right_place(real: Handler) -> None:
    whole = SentenceLease("The weather today is sunny and warm.", index=1, **STILL)
    await real(whole)
    delivered_us = whole.chunks[6].start_us
    rest = SentenceLease(whole.work.sentence.text, index=1, delivered_us=delivered_us, **STILL)
    await real(rest)
    assert b"".join(chunk.audio for chunk in whole.chunks[:6]) + rest.audio == whole.audio
    assert rest.chunks[0].start_us == delivered_us


@pytest.mark.models
async def test_a_cancelled_sentence_frees_the_threads(real: Handler) -> None:
    leases = [SentenceLease(LONG + " " + LONG) for _ in range(4)]
    tasks = [asyncio.ensure_future(real(lease)) for lease in leases]
    await leases[0].first_chunk.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=2)
    assert all(task.cancelled() for task in tasks)
    after = SentenceLease("Sure,")
    await real(after)
    assert after.times[0] < 1.0, "queued steps of the cancelled sentences were not run"


@pytest.mark.models
async def test_several_sentences_take_turns(real: Handler) -> None:
    """A short sentence does not wait until the long ones before it are finished."""
    long = [SentenceLease(LONG) for _ in range(3)]
    tasks = [asyncio.ensure_future(real(lease)) for lease in long]
    short = SentenceLease("Sure,")
    await real(short)
    assert any(lease.done is None for lease in long)
    await asyncio.gather(*tasks)
