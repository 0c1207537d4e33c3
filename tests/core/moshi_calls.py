"""Calls that Moshi answers, and what it does in them."""

from __future__ import annotations

from dialtone.gateway.core.items import MessageItem, OutputAudio
from dialtone.gateway.core.moshi_limits import blank_session
from dialtone.gateway.core.session import Audio, AudioInput, ServerVad, SessionConfig, Transcription
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCMU, AudioFormat

from .harness import Rig, Worker

MOSHI = blank_session("moshi", "")
HEARD = SessionConfig(
    model="moshi-sft",
    audio=Audio(input=AudioInput(transcription=Transcription(), turn_detection=ServerVad())),
)
PCMU = AudioFormat(encoding=AUDIO_ENCODING_PCMU, sample_rate=8_000)


def moshi_of(rig: Rig) -> Worker:
    rig.speak(20)
    return rig.take("moshi")


def says(worker: Worker, number: int, *words: str, each_ms: int = 500) -> None:
    """Moshi says these words, and goes on."""
    worker.begins(number)
    for word in words:
        worker.words(number, word)
        worker.sounds(number, each_ms)


def transcripts(rig: Rig) -> list[str]:
    return [
        part.transcript
        for item in rig.stored().values()
        if isinstance(item, MessageItem)
        for part in item.content
        if isinstance(part, OutputAudio)
    ]
