"""Speech in every format a client may ask for: whole, in order, and without a click where it is cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dialtone.audio import AudioDecoder, AudioEncoder, Pcm16
from dialtone.bus import Handler
from dialtone.fence import ModelProcess
from dialtone.tts.engines.base import Style
from dialtone.tts.engines.piper import PiperEngine
from dialtone.tts.engines.piper_models import PiperModels
from dialtone.tts.engines.simulated import SimulatedEngine
from dialtone.worker import Loaded
from tests.fixtures.client_formats import FORMATS
from tests.tts.leases import SentenceLease, assert_continuous
from tests.tts.test_piper import STILL

# Of one code to the next: 1/16 of the sample's magnitude at most, and 4 (mu-law) or 16 (A-law) near zero.
CODE_STEP, CODE_FLOOR = 1 / 16, 16
SENTENCES = ["The weather today is sunny and warm.", "Would you like to book a table?", "Yes."]


def decoded(data: bytes, name: str) -> Pcm16:
    return AudioDecoder(FORMATS[name], FORMATS[name].sample_rate).feed(data)


def bends(samples: Pcm16) -> np.ndarray:
    """How sharply the signal turns at each sample: its second difference, which a click is a peak of."""
    return np.abs(np.diff(samples.astype(np.int32), 2))


def assert_no_clicks(pieces: list[Pcm16]) -> None:
    """Nothing at the joints of the pieces is sharper than the sharpest inside them."""
    whole = np.concatenate(pieces)
    joints = np.cumsum([len(piece) for piece in pieces])[:-1]
    bend = bends(whole)
    at_joints = np.unique(np.clip(joints[:, None] + np.arange(-2, 1), 0, len(bend) - 1))
    inside = np.delete(bend, at_joints)
    assert bend[at_joints].max() <= inside.max()
    # Nor do they stand out together: joints are places like any other.
    assert np.median(bend[at_joints]) <= np.quantile(inside, 0.99)


def assert_same(got: Pcm16, expected: Pcm16, name: str) -> None:
    assert len(got) == len(expected)
    error = np.abs(got.astype(np.int32) - expected)
    if name == "pcm":
        assert error.max() <= 1
    else:
        assert (error <= np.abs(expected.astype(np.int32)) * CODE_STEP + CODE_FLOOR).all()


@pytest.mark.parametrize("name", FORMATS)
async def test_chunks_are_the_whole_sentence_converted_at_once(simulated: Handler, name: str) -> None:
    lease = SentenceLease("Hello there, my friend.", target=FORMATS[name])
    await simulated(lease)
    engine = SimulatedEngine()
    samples = np.concatenate([block async for block in engine.speak("Hello there, my friend.", Style())])
    encoder = AudioEncoder(engine.sample_rate, FORMATS[name])
    assert_same(decoded(lease.audio, name), decoded(encoder.feed(samples) + encoder.flush(), name), name)
    assert assert_continuous(lease.chunks) == lease.ended.duration_us == 23 * 60_000
    # The first periods ring: a tone that begins at its peak is a step, and a step has no place below 4 kHz.
    assert_no_clicks(
        [
            decoded(chunk.audio, name)[16:] if not at else decoded(chunk.audio, name)
            for at, chunk in enumerate(lease.chunks)
        ]
    )


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("at", [1, 4])
async def test_a_resumed_sentence_goes_on_without_a_click(simulated: Handler, name: str, at: int) -> None:
    whole = SentenceLease("Hello there, my friend.", target=FORMATS[name])
    await simulated(whole)
    rest = SentenceLease(
        "Hello there, my friend.", target=FORMATS[name], delivered_us=whole.chunks[at].start_us
    )
    await simulated(rest)
    assert b"".join(chunk.audio for chunk in whole.chunks[:at]) + rest.audio == whole.audio


@pytest.mark.models
@pytest.mark.parametrize("name", FORMATS)
async def test_the_voice_has_no_click_within_sentences_nor_between_them(
    real_stage: Loaded, name: str
) -> None:
    sentences: list[Pcm16] = []
    for index, text in enumerate(SENTENCES):
        lease = SentenceLease(text, target=FORMATS[name], index=index)
        await real_stage.handler(lease)
        assert_no_clicks([decoded(chunk.audio, name) for chunk in lease.chunks])
        sentences.append(decoded(lease.audio, name))
    assert_no_clicks(sentences)
    edges = [abs(int(sample)) for sentence in sentences for sample in (sentence[0], sentence[-1])]
    assert max(edges) <= 32  # -60 dBFS: a sentence begins and ends in silence


@pytest.mark.models
@pytest.mark.parametrize("name", FORMATS)
async def test_the_voice_is_what_one_conversion_makes_of_it(
    real_stage: Loaded, piper_process: ModelProcess[PiperModels], model_file: Path, name: str
) -> None:
    lease = SentenceLease(SENTENCES[0], target=FORMATS[name], index=1, **STILL)
    await real_stage.handler(lease)
    engine = PiperEngine("joe", model_file, piper_process, gain=1.4)
    style = Style(noise_scale=0.0, noise_scale_w=0.0)
    samples = np.concatenate([block async for block in engine.speak(SENTENCES[0], style)])
    encoder = AudioEncoder(engine.sample_rate, FORMATS[name])
    expected = decoded(encoder.feed(samples) + encoder.flush(), name).astype(np.float64)
    got = decoded(lease.audio, name)
    assert len(got) == len(expected)
    noise = np.sqrt(np.mean((got - expected) ** 2)) / np.sqrt(np.mean(expected**2))
    assert noise < 0.03


@pytest.mark.models
async def test_speed_is_obeyed_over_the_protocols_range(real_stage: Loaded) -> None:
    async def length(speed: float) -> int:
        lease = SentenceLease(SENTENCES[0], speed=speed, **STILL)
        await real_stage.handler(lease)
        return lease.ended.duration_us

    lengths = [await length(speed) for speed in (0.25, 0.5, 1.0, 1.5)]
    for speed, us in zip((0.25, 0.5, 1.0, 1.5), lengths, strict=True):
        assert us * speed == pytest.approx(lengths[2], rel=0.25)
