"""The workers' side of a gateway bench: all three stages in one process, on the bus as real workers are.

    python -m tests.bench.peer --chunk-ms 20 --speech-s 60 --out peer.json

The ears note how old each stamped frame is; the model answers with one sentence; the voice speaks stamped
chunks in real time. NATS_URL says where the broker is. Prints "ready"; ends by SIGTERM and writes what the
ears noted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from pathlib import Path

import uvloop

from dialtone.bus import Bus, Lease, LeaseWorker, Stage
from dialtone.settings import BusSettings
from dialtone.telemetry import configure_logging
from dialtone.v1.ears_pb2 import AudioProgress
from dialtone.v1.speech_pb2 import AudioChunk, SentenceDone
from dialtone.v1.turn_pb2 import TextDelta, TurnDone
from tests.bench.stamps import STAMP_BYTES, Delays, age_s, stamp

_SLOTS = 2000
_PROGRESS_S = 0.3
_BYTES_PER_MS = 48  # PCM16 at 24 kHz


class Peer:
    """Handlers of the three stages."""

    def __init__(self, chunk_ms: int, speech_s: float) -> None:
        self._chunk_ms = chunk_ms
        self._rest = bytes(chunk_ms * _BYTES_PER_MS - STAMP_BYTES)
        self._chunks = round(speech_s * 1000 / chunk_ms)
        self.delays = Delays()

    async def hear(self, lease: Lease) -> None:
        """Note the age of what comes, and say how far it was heard, as ears must."""
        told_at = time.monotonic()
        async for frame in lease.inputs():
            if time.monotonic() - told_at > _PROGRESS_S:
                told_at = time.monotonic()
                await lease.send(progress=AudioProgress(audio_us=frame.start_us, next_seq=frame.seq + 1))
            if frame.HasField("end"):
                return
            if (age := age_s(frame.audio)) is not None:
                self.delays.add(age)

    async def answer(self, lease: Lease) -> None:
        """One sentence."""
        await lease.send(text=TextDelta(text="This is a long story."))
        await lease.send(turn_done=TurnDone(finish_reason=TurnDone.FINISH_REASON_STOP))

    async def speak(self, lease: Lease) -> None:
        """Chunks in real time, each stamped as it is sent."""
        duration_us = self._chunk_ms * 1000
        began = time.monotonic()
        for number in range(self._chunks):
            await asyncio.sleep(max(0.0, began + number * self._chunk_ms / 1000 - time.monotonic()))
            audio = stamp() + self._rest
            chunk = AudioChunk(audio=audio, start_us=number * duration_us, duration_us=duration_us)
            await lease.send(audio=chunk)
        await lease.send(sentence_done=SentenceDone(duration_us=self._chunks * duration_us))


async def run(peer: Peer) -> None:
    """Work until SIGTERM."""
    asked_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_stop.set)
    bus = await Bus.connect(BusSettings(), name="bench-peer")
    handlers = {Stage.ASR: peer.hear, Stage.LLM: peer.answer, Stage.TTS: peer.speak}
    for stage in handlers:
        await bus.ensure_stage(stage, "default")
    workers = [
        LeaseWorker(bus, stage, handler, slots=_SLOTS, worker_id=f"bench-{stage}")
        for stage, handler in handlers.items()
    ]
    working = [asyncio.create_task(worker.run()) for worker in workers]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asked_to_stop.wait()
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    await bus.close()


def main() -> None:
    """Read the command line, work, write what was noted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chunk-ms", type=int, default=20, help="length of the chunks that are spoken")
    parser.add_argument("--speech-s", type=float, default=60.0, help="length of every sentence")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    configure_logging("bench-peer", level="warning")
    peer = Peer(given.chunk_ms, given.speech_s)
    uvloop.run(run(peer))
    given.out.write_text(json.dumps(peer.delays.values))


if __name__ == "__main__":
    main()
