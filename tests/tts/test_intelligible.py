"""What is spoken is understood: transcribed back by a speech recogniser."""

from __future__ import annotations

import re
from collections.abc import Callable

import jiwer
import numpy as np
import pytest

from dialtone.audio import Pcm16
from dialtone.bus import Handler
from dialtone.models import ModelMissing, locate
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AudioFormat
from tests.tts.leases import SentenceLease

PCM_16K = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=16_000)
Transcribe = Callable[[Pcm16], str]


@pytest.fixture(scope="module")
def transcribe() -> Transcribe:
    from faster_whisper import WhisperModel

    try:
        folder = locate("whisper-base")
    except ModelMissing as error:
        pytest.skip(str(error))
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)

    def heard(pcm: Pcm16) -> str:
        audio = np.pad(pcm.astype(np.float32) / 32768, 4_000)
        segments, _ = model.transcribe(audio, language="en", beam_size=1, temperature=0.0)
        return " ".join(segment.text for segment in segments)

    return heard


def words(text: str) -> str:
    return re.sub(r"[^a-z0-9 ]", "", text.lower().replace("-", " ")).strip()


@pytest.mark.models
@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("The weather today is sunny and warm.", "the weather today is sunny and warm"),
        (
            "I would be happy to help you find a good restaurant near the station this evening.",
            "i would be happy to help you find a good restaurant near the station this evening",
        ),
        ("**Breakfast** starts at 7:30 am 😀", "breakfast starts at 730 am"),
        ("Dr. Smith paid $3.50.", "dr smith paid 350"),
    ],
)
async def test_a_spoken_sentence_is_transcribed_back(
    real: Handler, transcribe: Transcribe, written: str, heard: str
) -> None:
    lease = SentenceLease(written, target=PCM_16K)
    await real(lease)
    said = words(transcribe(lease.pcm)).replace("doctor", "dr").replace("seven thirty", "730")
    said = re.sub(r"(three|3) dollars( and)? (50|fifty)( cents)?", "350", said)
    assert jiwer.cer(heard.replace(" ", ""), said.replace(" ", "")) <= 0.04, said
