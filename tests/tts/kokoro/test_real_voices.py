"""Kokoro with its real weights is understood in the languages that it speaks."""

from __future__ import annotations

import re
from collections.abc import Callable

import jiwer
import numpy as np
import pytest
import soxr

from dialtone.audio import Float32
from dialtone.fence import ModelProcess
from dialtone.models import ModelMissing, locate
from dialtone.tts.engines.base import Style
from dialtone.tts.engines.kokoro.engine import KokoroEngine
from dialtone.tts.engines.kokoro.models import SAMPLE_RATE, KokoroModels
from dialtone.tts.text import say

pytestmark = [pytest.mark.voices, pytest.mark.timeout(300)]

Hear = Callable[[Float32, str], str]
# Whisper writes Chinese in either script.
_SIMPLE = str.maketrans(
    "氣麼樣點銀們見請問謝嗎電話號碼幾個這時間書買賣門開關車飛機場從來對說會國後還進遠過",
    "气么样点银们见请问谢吗电话号码几个这时间书买卖门开关车飞机场从来对说会国后还进远过",
)


@pytest.fixture(scope="module")
def hear() -> Hear:
    from faster_whisper import WhisperModel

    try:
        folder = locate("whisper-base")
    except ModelMissing as error:
        pytest.skip(str(error))
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)

    def heard(audio: Float32, language: str) -> str:
        at_16k = soxr.resample(audio, SAMPLE_RATE, 16_000)
        segments, _ = model.transcribe(np.pad(at_16k, 4_000), language=language, beam_size=5, temperature=0.0)
        return "".join(segment.text for segment in segments)

    return heard


def letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.lower().translate(_SIMPLE))


async def spoken(process: ModelProcess[KokoroModels], voice: str, text: str) -> Float32:
    blocks = [block async for block in KokoroEngine(voice, process).speak(text, Style())]
    return np.concatenate(blocks)


@pytest.mark.parametrize(
    ("voice", "language", "text", "worst"),
    [
        ("heart", "en", "I think that the weather today is sunny and warm, so we can go to the park.", 0.05),
        ("emma", "en", "Could you tell me when the next train to London leaves, please?", 0.05),
        ("mei", "zh", "您好，今天北京的天气怎么样？我们明天下午去银行见面。", 0.15),
        ("dora", "es", "Buenos días, ¿a qué hora sale el próximo tren para Madrid?", 0.15),
        ("siwis", "fr", "Bonjour, je voudrais réserver une table pour deux personnes ce soir.", 0.15),
        ("sara", "it", "Buongiorno, vorrei sapere che tempo fa oggi a Roma, grazie.", 0.15),
        ("alex", "pt", "Bom dia, eu gostaria de saber a que horas abre o museu.", 0.2),
    ],
)
async def test_a_sentence_is_transcribed_back(
    kokoro_voices: ModelProcess[KokoroModels], hear: Hear, voice: str, language: str, text: str, worst: float
) -> None:
    audio = await spoken(kokoro_voices, voice, text)
    heard = hear(audio, language)
    assert jiwer.cer(letters(text), letters(heard)) <= worst, heard


async def test_what_is_written_in_digits_is_heard(
    kokoro_voices: ModelProcess[KokoroModels], hear: Hear
) -> None:
    audio = await spoken(kokoro_voices, "mei", say("我们3月5日下午2点30分见，一共128元。", "zh"))
    heard = letters(hear(audio, "zh"))
    assert re.search("(三|3)月(五|5)日下午(两|2)点(三十|30)分", heard), heard
    assert re.search("(一百二十八|128)元", heard), heard


async def test_hindi_has_a_voice(kokoro_voices: ModelProcess[KokoroModels]) -> None:
    audio = await spoken(kokoro_voices, "alpha", "नमस्ते, आप कैसे हैं?")
    assert 1.0 < len(audio) / SAMPLE_RATE < 5.0
    assert np.abs(audio).max() > 0.1
