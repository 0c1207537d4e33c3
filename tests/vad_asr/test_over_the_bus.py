"""The ears as a worker on a real broker: leased, spoken to, handed over to another worker."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from dialtone.bus import Bus, LeaseWorker, Stage, audio_subject
from dialtone.settings import BusSettings
from dialtone.v1.ears_pb2 import EarsInput, EarsLeg, EarsResume
from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.work_pb2 import Work
from dialtone.vad_asr.service import Ears
from tests.contract.bus.call_side import CallSide, until
from tests.fixtures.speech import Samples, silence, voice_like
from tests.vad_asr.ears_call import PCM16_16K, server_vad


@pytest.fixture
async def call(bus: Bus) -> AsyncIterator[CallSide]:
    side = await CallSide(bus, "call-ears").open()
    await bus.ensure_stage(Stage.ASR, "default")
    yield side
    await side.close()


class Speaker:
    """Publishes a call's audio, and keeps it for a new attempt."""

    def __init__(self, call: CallSide) -> None:
        self._call = call
        self._kept: list[EarsInput] = []
        self.attempt = 0

    async def put(self, **body: Any) -> None:
        frame = EarsInput(lease_id="l1", attempt=self.attempt, seq=len(self._kept), **body)
        self._kept.append(frame)
        await self._publish(frame)

    async def say(self, samples: Samples) -> None:
        for at in range(0, len(samples), 320):
            await self.put(audio=samples[at : at + 320].tobytes())

    async def repeat(self, attempt: int) -> None:
        self.attempt = attempt
        for frame in self._kept:
            frame.attempt = attempt
            await self._publish(frame)

    async def _publish(self, frame: EarsInput) -> None:
        await self._call.bus.publish(audio_subject(self._call.call_id), frame.SerializeToString())


async def test_a_leg_is_handed_over_in_the_middle_of_a_turn(
    call: CallSide, bus_settings: BusSettings, simulated_ears: Ears
) -> None:
    speaker = Speaker(call)

    def grant(claim: WorkerEvent) -> Grant:
        resume = EarsResume(next_utterance=1, config=server_vad(300))
        if claim.attempt > 0:  # the turn was announced by the attempt before
            resume = EarsResume(next_utterance=2, in_speech=True, config=server_vad(300))
        return Grant(granted=True, ears=resume)

    call.grant = grant
    await call.bus.submit(
        Stage.ASR,
        "default",
        Work(lease_id="l1", call_id=call.call_id, ears=EarsLeg(format=PCM16_16K, config=server_vad(300))),
    )
    workers: list[tuple[Bus, LeaseWorker, asyncio.Task[None]]] = []
    for name in ("w1", "w2"):
        own = await Bus.connect(bus_settings, name=name)
        worker = LeaseWorker(own, Stage.ASR, simulated_ears.handle, slots=1, worker_id=name)
        workers.append((own, worker, asyncio.create_task(worker.run())))
        if name == "w1":
            await until(lambda: call.attempts("l1") == [0], "the first claim")
    try:
        await speaker.say(np.concatenate([silence(0.3), voice_like(1.0)]))
        await until(lambda: bool(call.of("speech_started")), "speech started")
        stopping = asyncio.create_task(workers[0][1].stop())
        await until(lambda: call.attempts("l1") == [0, 1], "the second claim")
        await stopping

        await speaker.repeat(1)
        await speaker.say(silence(0.6))
        await speaker.put(end={})
        await until(lambda: bool(call.of("leg_done")), "the end of the leg")
    finally:
        for own, _worker, task in workers:
            task.cancel()
            await asyncio.wait({task})
            await own.close()

    assert len(call.of("speech_started")) == 1  # not announced a second time
    (stopped,) = call.of("speech_stopped")
    assert (stopped.attempt, stopped.speech_stopped.utterance) == (1, 1)
    assert abs(stopped.speech_stopped.audio_end_us - 1_600_000) <= 40_000
    (final,) = call.of("transcript")
    assert final.transcript.text == "simulated question 1"
    seqs = [event.seq for event in call.events if event.attempt == 1]
    assert seqs == list(range(len(seqs)))
