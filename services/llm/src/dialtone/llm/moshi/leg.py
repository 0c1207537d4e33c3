"""One Moshi leg: the call's audio in, what Moshi says out.

Two sides meet at the slot: one takes inputs and feeds frames of 80 ms, the other takes what was said to each
and sends it on. The slot bounds how far the first may be ahead.
"""

from __future__ import annotations

import asyncio
from collections import deque

import numpy as np

from dialtone.audio import AudioDecoder, Float32, Pcm16, pcm16_to_float
from dialtone.bus import HandBack, Lease, WorkError
from dialtone.llm.moshi import metrics
from dialtone.llm.moshi.engine import (
    FRAME,
    SAMPLE_RATE,
    Engine,
    EngineFailed,
    NoFreeSlot,
    Said,
    Slot,
    SlotClosed,
    TooFarAhead,
)
from dialtone.llm.moshi.saying import Saying
from dialtone.llm.moshi.utterances import Begun, Over, Sound, Utterances, Words
from dialtone.telemetry import get_logger
from dialtone.v1.ears_pb2 import AudioProgress, EarsInput
from dialtone.v1.events_pb2 import LegDone

log = get_logger(__name__)

FRAME_US = FRAME * 1_000_000 // SAMPLE_RATE
_PROGRESS_SECONDS = 0.3
_PROGRESS_US = 5_000_000  # or when so much was heard since: who sends ahead waits for it


class MoshiLeg:
    """Serves one lease until its input ends."""

    def __init__(self, lease: Lease, engine: Engine, utterances: Utterances) -> None:
        """Raises UnsupportedFormat."""
        leg, resume = lease.work.moshi, lease.grant.moshi
        self._lease = lease
        self._engine = engine
        self._utterances = utterances
        self._decoder = AudioDecoder(leg.format, SAMPLE_RATE)
        output = resume.output_format if resume.HasField("output_format") else leg.output_format
        self._saying = Saying(output, resume.next_utterance)
        self._live_us = resume.live_us
        self._heard_us = resume.start_us
        self._told_us = resume.start_us
        self._taken_seq = self._told_seq = resume.next_seq
        self._rest = np.zeros(0, dtype=np.int16)  # less than a frame
        self._waiting: deque[int] = deque()  # for each frame fed, the input that it came to its end in
        self._stepped = asyncio.Event()
        self._telling = asyncio.Lock()

    async def run(self) -> None:
        """Listens and speaks until EndOfInput.

        Raises HandBack when the worker leaves, UnsupportedFormat, and a retryable WorkError where the
        engine fails.
        """
        try:
            slot = self._engine.open()
        except NoFreeSlot as full:
            raise WorkError("overloaded", str(full), retryable=True) from full
        except EngineFailed as failed:
            raise _lost(failed) from failed
        try:
            async with asyncio.TaskGroup() as group:
                speaking = group.create_task(self._speak(slot))
                reporting = group.create_task(self._report_progress())
                await self._hear(slot)
                while self._waiting:
                    await self._next_step()
                async with self._telling:  # else an event that has its number is never sent
                    speaking.cancel()
                    reporting.cancel()
            await self._finish()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # one side broke, and the other was cancelled for it
        finally:
            slot.close()

    # --- what the caller says

    async def _hear(self, slot: Slot) -> None:
        try:
            async for frame in self._lease.inputs():
                kind = frame.WhichOneof("body")
                await self._take(slot, frame, kind)
                self._taken_seq = frame.seq + 1
                if kind == "end":
                    return
        except HandBack:
            # Between two steps: what was said to the last one is sent whole, and how far that was is known.
            async with self._telling:
                await self._tell_progress()
                raise

    async def _take(self, slot: Slot, frame: EarsInput, kind: str | None) -> None:
        if kind == "audio":
            await self._feed(slot, self._decoder.feed(frame.audio), frame.seq)
        elif kind == "format":
            decoder, self._decoder = self._decoder, AudioDecoder(frame.format, SAMPLE_RATE)
            await self._feed(slot, decoder.flush(), frame.seq)
        elif kind == "output_format":
            self._saying.change_format(frame.output_format)
        elif kind == "end":
            samples = self._decoder.flush()
            short = -(len(self._rest) + len(samples)) % FRAME
            await self._feed(slot, np.concatenate([samples, np.zeros(short, dtype=np.int16)]), frame.seq)
        else:
            log.warning("an input that Moshi has no use for", kind=kind)

    async def _feed(self, slot: Slot, samples: Pcm16, seq: int) -> None:
        heard = np.concatenate([self._rest, samples])
        whole = len(heard) - len(heard) % FRAME
        self._rest = heard[whole:]
        for at in range(0, whole, FRAME):
            await self._feed_frame(slot, pcm16_to_float(heard[at : at + FRAME]))
            self._waiting.append(seq)

    async def _feed_frame(self, slot: Slot, frame: Float32) -> None:
        while True:
            try:
                slot.feed(frame)
                return
            except TooFarAhead:
                await self._next_step()
            except (EngineFailed, SlotClosed) as failed:
                raise _lost(failed) from failed

    async def _next_step(self) -> None:
        self._stepped.clear()
        await self._stepped.wait()

    # --- what Moshi says

    async def _speak(self, slot: Slot) -> None:
        while True:
            try:
                said = await slot.next()
            except (EngineFailed, SlotClosed) as failed:
                raise _lost(failed) from failed
            async with self._telling:
                self._heard_us += FRAME_US
                if self._heard_us > self._live_us:
                    await self._pass_on(said)
                self._waiting.popleft()
                self._stepped.set()
                if self._heard_us - self._told_us >= _PROGRESS_US:
                    await self._tell_progress()

    async def _pass_on(self, said: Said) -> None:
        for mark in self._utterances.step(said):
            await self._send(mark)

    async def _send(self, mark: Begun | Words | Sound | Over) -> None:
        match mark:
            case Begun():
                metrics.UTTERANCES.inc()
                await self._lease.send(saying_started=self._saying.start(self._heard_us))
            case Words(text):
                await self._lease.send(saying_text=self._saying.text(text))
            case Sound(pcm):
                if (audio := self._saying.audio(pcm)) is not None:
                    await self._lease.send(saying_audio=audio)
            case Over(text_tokens):
                if (audio := self._saying.rest()) is not None:
                    await self._lease.send(saying_audio=audio)
                await self._lease.send(saying_stopped=self._saying.stop(self._heard_us, text_tokens))

    async def _finish(self) -> None:
        for mark in self._utterances.end():
            await self._send(mark)
        await self._lease.send(leg_done=LegDone())

    # --- how far it is

    async def _report_progress(self) -> None:
        """Says how far Moshi has heard: an engine that stands still is noticed by the silence."""
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            async with self._telling:
                if (self._heard_us, self._heard_seq) != (self._told_us, self._told_seq):
                    await self._tell_progress()

    @property
    def _heard_seq(self) -> int:
        """The first input that is not heard to its end; less than a frame of it does not count."""
        return self._waiting[0] if self._waiting else self._taken_seq

    async def _tell_progress(self) -> None:
        self._told_us, self._told_seq = self._heard_us, self._heard_seq
        await self._lease.send(progress=AudioProgress(audio_us=self._told_us, next_seq=self._told_seq))


def _lost(failed: EngineFailed | SlotClosed) -> WorkError:
    return WorkError("engine_failed", str(failed), retryable=True)
