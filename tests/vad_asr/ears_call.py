"""The gateway's end of an ears leg, without a broker: a real Lease whose events are kept."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import numpy as np

from dialtone.bus import Bus, Lease
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AudioFormat
from dialtone.v1.ears_pb2 import (
    EarsConfig,
    EarsInput,
    EarsLeg,
    EarsResume,
    SpeechStarted,
    SpeechStopped,
    SpeechSustained,
    Transcript,
    Transcription,
    TurnDetection,
)
from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.work_pb2 import Work
from tests.fixtures.speech import Samples

PCM16_16K = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=16_000)


def server_vad(silence_ms: int = 500, **fields: Any) -> EarsConfig:
    """Turn detection as the gateway sends it, with the fields that a test is about."""
    turn = {"aggressiveness": 1, "threshold": 0.5, "prefix_padding_ms": 300, **fields}
    detection = TurnDetection(mode=TurnDetection.MODE_SERVER_VAD, silence_duration_ms=silence_ms, **turn)
    return EarsConfig(turn_detection=detection, transcription=Transcription())


def manual() -> EarsConfig:
    return EarsConfig(turn_detection=TurnDetection(mode=TurnDetection.MODE_MANUAL))


class _KeptEvents:
    """Stands where the bus does, as far as a Lease publishes on it."""

    generation = 1

    def __init__(self) -> None:
        self.events: list[WorkerEvent] = []
        self.times: list[float] = []
        self.news = asyncio.Event()

    async def publish(self, _subject: str, payload: bytes, *, reply: str = "") -> None:
        assert not reply, "a leg asks nothing"
        self.events.append(WorkerEvent.FromString(payload))
        self.times.append(time.monotonic())
        self.news.set()


class EarsCall:
    """One call: say things to the ears, see what they answer."""

    def __init__(
        self,
        config: EarsConfig,
        *,
        audio_format: AudioFormat = PCM16_16K,
        resume: EarsResume | None = None,
        call_id: str = "c1",
    ) -> None:
        self._kept = _KeptEvents()
        self.draining = asyncio.Event()
        work = Work(lease_id="l1", call_id=call_id, ears=EarsLeg(format=audio_format, config=config))
        self.lease = Lease(cast(Bus, self._kept), work, 0, self.draining)
        resume = resume or EarsResume(next_utterance=1, next_seq=1)
        self.lease.granted(Grant(granted=True, ears=resume))
        self._seq = resume.next_seq
        self._leg: asyncio.Future[None] | None = None

    def start(self, handler: Callable[[Lease], Awaitable[None]]) -> "EarsCall":
        self._leg = asyncio.ensure_future(handler(self.lease))
        return self

    # --- inputs

    def put(self, **body: Any) -> None:
        """One input frame."""
        self.lease.receive(EarsInput(lease_id="l1", seq=self._seq, **body))
        self._seq += 1

    def say(self, samples: Samples, frame: int = 320) -> None:
        """Samples at 16 kHz, PCM16, in frames of 20 ms."""
        self.say_bytes(samples.astype("<i2").tobytes(), frame * 2)

    def say_bytes(self, data: bytes, size: int) -> None:
        for at in range(0, len(data), size):
            self.put(audio=data[at : at + size])

    async def finish(self, timeout: float = 60.0) -> None:
        """End the input and wait for the leg to be done."""
        self.put(end={})
        await self.ended(timeout)

    async def ended(self, timeout: float = 60.0) -> None:
        assert self._leg is not None
        async with asyncio.timeout(timeout):
            await self._leg

    async def cancel(self) -> None:
        assert self._leg is not None
        self._leg.cancel()
        await asyncio.wait({self._leg})

    async def until(self, condition: Callable[[], object], timeout: float = 30.0) -> None:
        """Wait until an event makes the condition true."""
        async with asyncio.timeout(timeout):
            while not condition():
                assert self._leg is not None
                if self._leg.done():
                    self._leg.result()
                    raise AssertionError("the leg ended before")
                self._kept.news.clear()
                waiting = asyncio.create_task(self._kept.news.wait())
                either: set[asyncio.Future[Any]] = {waiting, self._leg}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()

    def leave(self) -> None:
        """Ask the worker to leave."""
        self.draining.set()
        self.lease.wake()

    async def lease_idle(self) -> None:
        """Let the leg take what was said: it has heard all but the last frame then, and that, too, if all
        it needs is in this process."""
        async with asyncio.timeout(30):
            while self.lease.behind:  # noqa: ASYNC110 - it has no event for that
                await asyncio.sleep(0)
            for _ in range(3):
                await asyncio.sleep(0)

    # --- events

    @property
    def bodies(self) -> list[str]:
        """The kinds of all events but progress, in order."""
        kinds = [str(event.WhichOneof("body")) for event in self._kept.events]
        return [kind for kind in kinds if kind != "progress"]

    def _of(self, kind: str) -> list[Any]:
        return [getattr(e, kind) for e in self._kept.events if e.WhichOneof("body") == kind]

    @property
    def started(self) -> list[SpeechStarted]:
        return self._of("speech_started")

    @property
    def sustained(self) -> list[SpeechSustained]:
        return self._of("speech_sustained")

    @property
    def stopped(self) -> list[SpeechStopped]:
        return self._of("speech_stopped")

    @property
    def progress(self) -> list[Any]:
        return self._of("progress")

    def transcripts(self, kind: Transcript.Kind = Transcript.KIND_FINAL) -> list[Transcript]:
        return [transcript for transcript in self._of("transcript") if transcript.kind == kind]

    def when(self, kind: str, index: int = 0) -> float:
        """The moment (monotonic) at which an event of the kind came."""
        times = [
            at
            for e, at in zip(self._kept.events, self._kept.times, strict=True)
            if e.WhichOneof("body") == kind
        ]
        return times[index]


def audible(samples: Samples) -> tuple[int, int]:
    """First and last audible moment in milliseconds: blocks of 10 ms within 30 dB of the loudest."""
    blocks = samples[: len(samples) // 160 * 160].reshape(-1, 160).astype(np.float64)
    level = np.sqrt((blocks**2).mean(axis=1))
    loud = np.flatnonzero(level > max(level.max() * 0.03, 30))
    return int(loud[0]) * 10, (int(loud[-1]) + 1) * 10
