"""A sentence's lease whose events are kept instead of sent."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import numpy as np

from dialtone.audio import Pcm16, pcm16_from_bytes
from dialtone.bus import Bus, Lease
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AudioFormat
from dialtone.v1.speech_pb2 import AudioChunk, Sentence, SentenceDone, Voice
from dialtone.v1.work_pb2 import Work

PCM_24K = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=24_000)


class _NoBus:
    """Stands where the bus does: nothing is sent on it, as SentenceLease keeps its events."""

    generation = 1


class SentenceLease(Lease):
    """Records what a handler sends; `voice` are fields of the Voice message."""

    def __init__(
        self,
        text: str,
        *,
        target: AudioFormat = PCM_24K,
        delivered_us: int = 0,
        index: int = 0,
        **voice: Any,
    ) -> None:
        sentence = Sentence(response_id="r1", index=index, text=text, voice=Voice(**voice), format=target)
        work = Work(lease_id="s1", call_id="call-1", sentence=sentence)
        super().__init__(cast(Bus, _NoBus()), work, 0, asyncio.Event())
        if delivered_us:
            self.grant.sentence.delivered_us = delivered_us
        self.chunks: list[AudioChunk] = []
        self.times: list[float] = []
        self.first_chunk = asyncio.Event()
        self.done: SentenceDone | None = None
        self._began = time.monotonic()

    async def send(self, **body: Any) -> None:
        assert self.done is None, "nothing comes after SentenceDone"
        if "audio" in body:
            self.chunks.append(body["audio"])
            self.first_chunk.set()
            self.times.append(time.monotonic() - self._began)
        else:
            self.done = body["sentence_done"]

    @property
    def audio(self) -> bytes:
        return b"".join(chunk.audio for chunk in self.chunks)

    @property
    def pcm(self) -> Pcm16:
        return pcm16_from_bytes(self.audio)

    @property
    def ended(self) -> SentenceDone:
        assert self.done is not None
        return self.done


def assert_continuous(chunks: list[AudioChunk], *, start_us: int = 0) -> int:
    """Each chunk starts where the one before ended; returns the end of the last."""
    position = start_us
    for chunk in chunks:
        assert chunk.start_us == position
        assert chunk.duration_us > 0
        position += chunk.duration_us
    return position


def loudness(samples: Pcm16) -> float:
    """Root mean square of int16 [n]."""
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
