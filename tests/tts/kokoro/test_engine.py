"""The engine over a stand-in for the model: phrases in order, pauses between, leaving between two of them."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import numpy as np
import psutil
import pytest

from dialtone.bus import WorkError
from dialtone.fence import ModelProcess
from dialtone.tts.engines.base import Style, UnknownSpeaker
from dialtone.tts.engines.kokoro.engine import KokoroEngine, joined
from dialtone.tts.engines.kokoro.entry import KokoroVoice, read_files
from dialtone.tts.engines.kokoro.models import SAMPLE_RATE, KokoroModels, NotKokoro
from dialtone.tts.loading import load
from dialtone.tts.settings import TtsSettings
from dialtone.tts.speaker import Speaker
from dialtone.tts.voices import Voice, VoiceRegistry
from dialtone.vendors.failures import UpstreamFailure
from tests.tts.kokoro.stand_in import SYMBOL, write_model
from tests.tts.leases import SentenceLease, assert_continuous

SENTENCE = "Hello there, the weather today is sunny and warm, so take a hat, and do not forget the water."


@pytest.fixture
def heart(stand_in: ModelProcess[KokoroModels]) -> KokoroEngine:
    return KokoroEngine("heart", stand_in)


@pytest.fixture
def speaker(stand_in: ModelProcess[KokoroModels], heart: KokoroEngine) -> Speaker:
    mei = KokoroEngine("mei", stand_in)
    voices = {"heart": Voice("heart", "en", heart), "mei": Voice("mei", "zh", mei)}
    return Speaker(VoiceRegistry(voices, {}), TtsSettings())


async def test_a_sentence_comes_phrase_by_phrase(
    heart: KokoroEngine, stand_in: ModelProcess[KokoroModels]
) -> None:
    phrases = await stand_in.run(3.0, KokoroModels.phrases, "heart", SENTENCE)
    async with aclosing(heart.speak(SENTENCE, Style())) as blocks:
        lengths = [len(block) async for block in blocks]
    assert len(phrases) == len(lengths) > 2
    for phrase, length in zip(phrases, lengths, strict=True):
        pause_s = 0.25 if phrase.endswith(".") else 0.10
        assert length == (len(phrase) + 2) * SYMBOL + round(pause_s * SAMPLE_RATE)


async def test_speed_stretches_and_one_beyond_the_limits_is_refused(heart: KokoroEngine) -> None:
    async def length(style: Style) -> int:
        async with aclosing(heart.speak("Hello there.", style)) as blocks:
            return sum([len(block) async for block in blocks])

    plain = await length(Style())
    assert await length(Style(speed=2.0)) == pytest.approx(plain / 2, abs=2)
    assert await length(Style(length_scale=2.0)) == pytest.approx(plain * 2, abs=2)
    with pytest.raises(UpstreamFailure, match=r"speed is 3, from 0\.5 to 2 is taken"):
        await length(Style(speed=3.0))
    with pytest.raises(UnknownSpeaker, match="one speaker"):
        async for _ in heart.speak("Hello.", Style(speaker="7")):
            pass


async def test_a_gain_too_large_is_cut_off_at_full_range(stand_in: ModelProcess[KokoroModels]) -> None:
    async with aclosing(KokoroEngine("heart", stand_in, gain=8.0).speak("Hello.", Style())) as blocks:
        assert np.abs(await anext(blocks)).max() < 1.0


async def test_a_sentence_that_is_left_computes_no_further_phrase(
    heart: KokoroEngine, stand_in: ModelProcess[KokoroModels]
) -> None:
    def used() -> float:
        times = psutil.Process(stand_in.pid).cpu_times()
        return float(times.user + times.system)

    async def cost(count: int) -> float:
        """Seconds of computing for so many phrases of many, and for what comes after them."""
        before = used()
        async with aclosing(heart.speak(SENTENCE * 20, Style())) as blocks:
            for _ in range(count):
                await anext(blocks)
        await stand_in.run(30.0, KokoroModels.phrases, "heart", "One.")  # behind what is still to be done
        return used() - before

    await cost(1)
    assert await cost(1) < 0.5 * await cost(20)


async def test_twenty_thousand_characters_are_cut_and_spoken_to_their_end(
    stand_in: ModelProcess[KokoroModels],
) -> None:
    for text in ("word " * 4_000, "字" * 20_000):
        voice = "heart" if text.isascii() else "mei"
        phrases = await stand_in.run(20.0, KokoroModels.phrases, voice, text)
        assert max(map(len, phrases)) <= 120
        assert len(await stand_in.run(5.0, KokoroModels.speak, voice, phrases[-1], 1.0))


async def test_what_is_refused_names_engine_and_field_and_the_next_sentence_is_spoken(
    speaker: Speaker,
) -> None:
    with pytest.raises(WorkError, match=r"kokoro: speed is 4.*\(voice\)") as refused:
        await speaker.handle(SentenceLease("Hello there.", speed=4.0))
    assert (refused.value.code, refused.value.retryable) == ("invalid_voice", False)
    with pytest.raises(WorkError, match="20000 characters") as long:
        await speaker.handle(SentenceLease("a" * 20_000))
    assert long.value.code == "text_too_long"
    emoji = SentenceLease("\N{GRINNING FACE}")
    await speaker.handle(emoji)
    assert not emoji.chunks
    well = SentenceLease("今天天气很好。I think so.", index=1)
    await speaker.handle(well)
    assert assert_continuous(well.chunks) > 500_000
    assert well.ended.backend == "kokoro"


def test_the_silence_around_a_phrase_becomes_the_pause_of_its_mark() -> None:
    tone = np.full(1_000, 0.5, dtype=np.float32)
    around = np.concatenate([np.zeros(9_000, np.float32), tone, np.zeros(12_000, np.float32)])
    clause, end, cut = (len(joined(around, phrase, 1.0)) for phrase in ("a,", "a.", "a"))
    assert (end - clause, clause - cut) == (round(0.15 * SAMPLE_RATE), round(0.10 * SAMPLE_RATE))
    assert cut < 1_000 + 0.1 * SAMPLE_RATE
    assert len(joined(np.zeros(9_000, np.float32), "a.", 1.0)) == 0


# --- files that are not what the entry says


def models(model: Path, voices: Path, **fields: str) -> KokoroModels:
    entry = {
        "engine": "kokoro",
        "model": str(model),
        "voices": str(voices),
        "voice": "af_heart",
        "language": "en",
    }
    voice = KokoroVoice.model_validate({**entry, **fields})
    return KokoroModels({"heart": read_files("heart", voice, None)}, 1)


def test_an_export_with_other_names_of_its_inputs_is_taken(tmp_path: Path, voices: Path) -> None:
    path = write_model(tmp_path / "other.onnx", tokens="input_ids")
    assert len(models(path, voices).speak("heart", "həlˈO.", 1.0)) == 8 * SYMBOL


def test_a_file_that_is_no_model_and_a_model_of_another_kind_are_told(tmp_path: Path, voices: Path) -> None:
    nonsense = tmp_path / "nonsense.onnx"
    nonsense.write_bytes(b"no model" * 100)
    with pytest.raises(NotKokoro, match=r"tts_voices\.heart\.model \(kokoro\): .*cannot be loaded"):
        models(nonsense, voices)
    other = write_model(tmp_path / "other.onnx", tokens="phonemes")
    with pytest.raises(
        NotKokoro, match=r"tts_voices\.heart\.model \(kokoro\): .*another model: it takes phonemes"
    ):
        models(other, voices)


def test_a_device_that_is_not_there_is_told(model: Path, voices: Path) -> None:
    with pytest.raises(NotKokoro, match=r"tts_voices\.heart\.device \(kokoro\): .*cuda"):
        models(model, voices, device="cuda")


async def test_a_file_that_is_no_model_ends_the_loading_of_the_stage_with_its_name(
    tmp_path: Path, voices: Path
) -> None:
    nonsense = tmp_path / "nonsense.onnx"
    nonsense.write_bytes(b"no model" * 100)
    heart = {
        "engine": "kokoro",
        "model": str(nonsense),
        "voices": str(voices),
        "voice": "af_heart",
        "language": "en",
    }
    settings = TtsSettings.model_validate({"tts_voices": {"heart": heart}, "tts_espeak": ""})
    with pytest.raises(NotKokoro, match=r"tts_voices\.heart\.model \(kokoro\)"):
        await load(settings)
