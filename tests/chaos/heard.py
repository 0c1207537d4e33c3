"""What is to be heard of an answer, to the sample."""

from __future__ import annotations

from functools import cache
from typing import Any

from dialtone.tts.settings import TtsSettings
from dialtone.v1.common_pb2 import AudioEncoding, AudioFormat
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.speech_pb2 import AudioChunk, Sentence, Voice
from dialtone.v1.work_pb2 import Work
from tests.chaos.worker import speaker

RATE = 24_000


class _Undisturbed:
    """A lease that nothing happens to: what is sent under it is kept."""

    attempt = 0

    def __init__(self, sentence: Sentence) -> None:
        self.work = Work(sentence=sentence)
        self.grant = Grant()
        self.audio = bytearray()

    async def send(self, *, audio: AudioChunk | None = None, **_rest: Any) -> None:
        if audio is not None:
            self.audio += audio.audio


async def sound_of(text: str, index: int) -> bytes:
    """The sound of a sentence at this place of an answer: pcm16 at 24 kHz."""
    wire = AudioFormat(encoding=AudioEncoding.AUDIO_ENCODING_PCM16, sample_rate=RATE)
    lease: Any = _Undisturbed(Sentence(index=index, text=text, voice=Voice(), format=wire))
    await speaker(_settings(), block_s=0).handle(lease)
    return bytes(lease.audio)


@cache
def _settings() -> TtsSettings:
    return TtsSettings(stages="simulated")
