"""The gateway's end of a Moshi leg on a real broker: it speaks, keeps what it said, records the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from dialtone.bus import Bus, LeaseWorker, Stage, audio_subject
from dialtone.llm.moshi.engine import Engine
from dialtone.llm.moshi.service import MoshiHandler
from dialtone.llm.moshi.settings import MoshiSettings
from dialtone.settings import BusSettings
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AudioFormat
from dialtone.v1.ears_pb2 import EarsInput
from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.moshi_pb2 import MoshiLeg, MoshiResume
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import CallSide, until
from tests.fixtures.speech import Samples

PCM16_24K = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=24_000)
PCM16_16K = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=16_000)
ANSWER_BYTES = 24_000 * 16 // 10 * 2
"""1.6 s at 24 kHz: an answer of the simulated engine, without the pause that ends it."""
PAUSE_BYTES = 7 * 1920 * 2
"""The default MOSHI_PAUSE_MS."""


def tone(seconds: float, rate: int = 24_000) -> Samples:
    """What the simulated engine takes for somebody who speaks."""
    times = np.arange(round(seconds * rate)) / rate
    return (8_000 * np.sin(2 * np.pi * 300 * times)).astype(np.int16)


def silence(seconds: float, rate: int = 24_000) -> Samples:
    return np.zeros(round(seconds * rate), dtype=np.int16)


class MoshiCall:
    """One call and its Moshi leg."""

    def __init__(self, bus: Bus, call_id: str = "call-moshi") -> None:
        self.side = CallSide(bus, call_id, self._grant)
        self.lease_id = f"leg-{call_id}"
        self.resume = MoshiResume(next_seq=1, next_utterance=1)
        self._kept: list[EarsInput] = []
        self.attempt = 0

    async def submit(
        self, audio_format: AudioFormat = PCM16_24K, output: AudioFormat = PCM16_24K, model: str = "sft"
    ) -> None:
        leg = MoshiLeg(model=model, format=audio_format, output_format=output)
        work = Work(lease_id=self.lease_id, call_id=self.side.call_id, session_id="s1", moshi=leg)
        await self.side.bus.submit(Stage.MOSHI, "sft", work)

    async def start(self, **fields: Any) -> None:
        """Submit, and wait until a worker has it."""
        await self.submit(**fields)
        await until(lambda: bool(self.side.attempts(self.lease_id)), "the claim")

    # --- what the caller says

    async def put(self, *, lost: bool = False, **body: Any) -> None:
        """One input; `lost` on its way."""
        frame = EarsInput(lease_id=self.lease_id, attempt=self.attempt, seq=len(self._kept) + 1, **body)
        self._kept.append(frame)
        if not lost:
            await self._publish(frame)

    async def say(self, *samples: Samples, frame: int = 480) -> None:
        """In pieces of 20 ms at 24 kHz."""
        for part in samples:
            for at in range(0, len(part), frame):
                await self.put(audio=part[at : at + frame].tobytes())

    async def ask(self) -> None:
        """What the simulated engine answers."""
        await self.say(tone(0.4), silence(0.5))

    async def repeat(self, attempt: int, from_seq: int = 1) -> None:
        """Send the inputs from there on again, to another attempt."""
        self.attempt = attempt
        for frame in self._kept[from_seq - 1 :]:
            frame.attempt = attempt
            await self._publish(frame)

    # --- what Moshi says

    def bodies(self, attempt: int = 0) -> list[str]:
        """The kinds of events that a client would notice, in order."""
        kinds = [str(e.WhichOneof("body")) for e in self.side.events if e.attempt == attempt]
        return [kind for kind in kinds if kind not in ("claim", "progress", "None")]

    def outline(self, attempt: int = 0) -> list[str]:
        """The same, runs of one kind taken together."""
        bodies = self.bodies(attempt)
        return [kind for before, kind in zip(["", *bodies], bodies, strict=False) if kind != before]

    def audio(self, utterance: int, attempt: int | None = None) -> bytes:
        events = self.side.of("saying_audio")
        return b"".join(
            event.saying_audio.audio
            for event in events
            if event.saying_audio.utterance == utterance and attempt in (None, event.attempt)
        )

    def text(self, utterance: int) -> str:
        events = [event.saying_text for event in self.side.of("saying_text")]
        return "".join(event.text for event in events if event.utterance == utterance)

    async def has(self, body: str, count: int = 1) -> None:
        await until(lambda: len(self.side.of(body)) >= count, f"{count} of {body}")

    def _grant(self, claim: WorkerEvent) -> Grant:
        if not claim.attempt:
            return Grant(granted=True, moshi=self.resume)
        heard_us = max((event.progress.audio_us for event in self.side.of("progress")), default=0)
        return Grant(granted=True, moshi=MoshiResume(next_seq=1, next_utterance=2, live_us=heard_us))

    async def _publish(self, frame: EarsInput) -> None:
        await self.side.bus.publish(audio_subject(self.side.call_id), frame.SerializeToString())


@asynccontextmanager
async def moshi_worker(
    bus_settings: BusSettings, engine: Engine, name: str = "moshi-1", slots: int | None = None
) -> AsyncIterator[LeaseWorker]:
    """A worker with a connection of its own, whose engine has been started."""
    bus = await Bus.connect(bus_settings, name=name)
    handler = MoshiHandler(MoshiSettings(stages="simulated"), engine)
    worker = LeaseWorker(
        bus, Stage.MOSHI, handler, slots=slots or engine.slots, pool="sft", worker_id=name, drain_grace=5.0
    )
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        running.cancel()
        await asyncio.wait({running})
        await bus.close()
        if not running.cancelled():
            running.result()
