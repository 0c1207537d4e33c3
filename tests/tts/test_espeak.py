"""espeak-ng speaks what no voice speaks."""

import asyncio
import shutil
from contextlib import aclosing
from pathlib import Path

import numpy as np
import psutil
import pytest

from dialtone.tts.engines.base import SpeechFailed, Style
from dialtone.tts.engines.espeak import EspeakEngine, espeak_name, installed_languages
from tests.tts.leases import loudness

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


async def spoken(engine: EspeakEngine, text: str, style: Style | None = None) -> np.ndarray:
    return np.concatenate([block async for block in engine.speak(text, style or Style())])


@needs_espeak
async def test_it_speaks_chinese() -> None:
    name = espeak_name("zh", await installed_languages("espeak-ng"))
    assert name is not None
    audio = await spoken(EspeakEngine("espeak-ng", name), "你好，世界")
    assert 0.8 < len(audio) / 22_050 < 4
    assert loudness(audio * 32768) > 300


@needs_espeak
async def test_a_chinese_character_is_one_syllable_not_its_pinyin_in_english() -> None:
    name = espeak_name("zh", await installed_languages("espeak-ng"))
    assert name is not None
    engine = EspeakEngine("espeak-ng", name)
    one, six = [len(await spoken(engine, text)) / 22_050 for text in ("你", "你你你你你你")]
    assert (six - one) / 5 < 0.28  # "ni three" takes 0.35 s, the syllable 0.21 s


def test_the_chinese_that_reads_pinyin_is_preferred() -> None:
    assert espeak_name("zh", frozenset({"cmn", "cmn-latn-pinyin", "en"})) == "cmn-latn-pinyin"
    assert espeak_name("zh", frozenset({"cmn", "en"})) == "cmn"


@needs_espeak
async def test_length_scale_and_speed_change_the_pace() -> None:
    engine = EspeakEngine("espeak-ng", "en")
    plain = len(await spoken(engine, "one two three four five"))
    assert len(await spoken(engine, "one two three four five", Style(length_scale=1.5))) > 1.25 * plain
    assert len(await spoken(engine, "one two three four five", Style(speed=1.5))) < 0.8 * plain


@needs_espeak
@pytest.mark.parametrize("speed", [0.25, 0.5, 0.75, 1.5])
async def test_the_protocols_speeds_are_obeyed_also_those_that_the_program_has_not(speed: float) -> None:
    engine = EspeakEngine("espeak-ng", "en")
    text = "The weather today is sunny and warm."
    plain = len(await spoken(engine, text))
    assert len(await spoken(engine, text, Style(speed=speed))) * speed == pytest.approx(plain, rel=0.15)


@needs_espeak
async def test_text_is_never_an_option_or_markup() -> None:
    engine = EspeakEngine("espeak-ng", "en")
    assert len(await spoken(engine, "--help me")) > 10_000


@needs_espeak
async def test_a_cancelled_sentence_leaves_no_process() -> None:
    started = asyncio.Event()

    async def speak() -> None:
        async with aclosing(EspeakEngine("espeak-ng", "en").speak("word " * 20_000, Style())) as blocks:
            async for _ in blocks:
                started.set()
                await asyncio.sleep(60)

    task = asyncio.create_task(speak())
    await asyncio.wait_for(started.wait(), 10)
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert [child for child in psutil.Process().children() if child.name().startswith("espeak")] == []


async def test_where_it_is_not_installed_it_speaks_nothing() -> None:
    assert await installed_languages("no-such-program") == frozenset()
    assert espeak_name("zh", frozenset()) is None


async def test_its_failure_is_told_and_what_it_says_of_it_is_for_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "espeak-ng"
    broken.write_text("#!/bin/sh\necho out of voices >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(SpeechFailed, match="no audio") as failed:
        await spoken(EspeakEngine(str(broken), "en"), "hello")
    assert "out of voices" not in str(failed.value)
    assert "out of voices" in "".join(capsys.readouterr())
