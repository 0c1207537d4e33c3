"""One ears leg: inputs of a call in, speech events and transcripts out.

Hearing and endpointing happen at once, in `Hearing`; this file turns what they reveal into events and
asks for transcripts in the background, so that audio is never kept waiting by a model. Every
SpeechStarted is followed by one SpeechStopped, and every turn by one final Transcript, in order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from dialtone.bus import Lease
from dialtone.telemetry import get_logger
from dialtone.telemetry.tracing import stage_span
from dialtone.telemetry.turn_trace import traceparent
from dialtone.v1.ears_pb2 import (
    AudioProgress,
    EarsConfig,
    EarsInput,
    SpeechStarted,
    SpeechStopped,
    SpeechSustained,
    Transcript,
)
from dialtone.v1.events_pb2 import LegDone
from dialtone.vad_asr import metrics
from dialtone.vad_asr.ahead import Ahead
from dialtone.vad_asr.asking import Asking
from dialtone.vad_asr.asr.pool import Urgency
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, Recognition
from dialtone.vad_asr.endpointing import Boundary, Paused, Resumed, Started, Stopped, Sustained
from dialtone.vad_asr.finals import Finals
from dialtone.vad_asr.hearing import Hearing, NewTracker
from dialtone.vad_asr.policy import LegLimits, TurnDefaults, TurnPolicy
from dialtone.vad_asr.transcriber import Transcriber
from dialtone.vad_asr.turn import Ask, OpenTurn
from dialtone.vad_asr.turnstile import Turnstile

log = get_logger(__name__)

_PROGRESS_SECONDS = 0.3
_PROGRESS_US = 5_000_000  # or when so much was heard since: who sends ahead waits for it
_PROGRESS_INPUTS = 250
_JOINED_BYTES = 9_600  # 200 ms at 24 kHz: what a leg that is behind hears at once at most
_STAY_SECONDS = 5.0  # at most, when the worker leaves: half of the grace that workers have by default


class EarsLeg:
    """Serves one lease until its input ends."""

    def __init__(
        self,
        lease: Lease,
        transcriber: Transcriber,
        new_tracker: NewTracker,
        turnstile: Turnstile,
        defaults: TurnDefaults,
        limits: LegLimits,
    ) -> None:
        resume = lease.grant.ears
        self._lease = lease
        self._turnstile = turnstile
        self._defaults = defaults
        self._config = resume.config if resume.HasField("config") else lease.work.ears.config
        self._hearing = Hearing(
            lease.work.ears.format,
            TurnPolicy.of(self._config, defaults),
            new_tracker,
            start_us=resume.start_us,
            max_turn=round(limits.max_turn * SAMPLE_RATE),
            kept_idle=round(limits.kept_idle * SAMPLE_RATE),
            kept_manual=round(limits.kept_manual * SAMPLE_RATE),
        )
        self._asking = Asking(self._hearing, transcriber, self._config.transcription)
        self._finals = Finals(lease, self._asking, self._spawn)
        self._ahead = Ahead(lease, self._hearing, self._asking, self._spawn, limits, self._config)
        self._next_number = resume.next_utterance
        self._turn: OpenTurn | None = None
        if resume.in_speech:
            start = self._hearing.position_at(resume.speech_start_us)
            self._turn = OpenTurn(max(resume.next_utterance - 1, 0), start)
            self._hearing.endpointer.resume(start)
        self._next_seq = self._told_seq = resume.next_seq
        self._told_us = resume.start_us
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._closing = False
        self._stayed = False

    async def run(self) -> None:
        """Listens until EndOfInput. Raises HandBack when the worker leaves, and UnsupportedFormat."""
        listening = asyncio.current_task()
        assert listening is not None
        self._listening = listening
        self._spawn(self._report_progress())
        self._spawn(self._end_stay())
        try:
            async for frame in self._lease.inputs(self._stays):
                if await self._take(frame):
                    break
            await self._finals.wait()
            await self._lease.send(leg_done=LegDone())
        except asyncio.CancelledError:
            if self._failure is None:
                raise
            listening.uncancel()
            raise self._failure from None
        finally:
            await self._drop_everything()

    # --- when the worker leaves ---

    def _stays(self) -> bool:
        """Whether somebody waits for words that the next ears would have to recognise all over again.

        Meanwhile the leg listens on: nobody is to be heard later because of it. One with a recording to
        hear, which brings one turn after the other, would never be done, and has nobody who waits.
        """
        if self._stayed or self._finals.crowded:
            return False
        return self._finals.awaited or (self._turn is not None and self._turn.in_pause)

    async def _end_stay(self) -> None:
        await self._lease.draining.wait()
        await asyncio.sleep(_STAY_SECONDS)
        self._stayed = True
        self._lease.wake()

    # --- inputs ---

    async def _take(self, frame: EarsInput) -> bool:
        """Does what the frame says; True when it was the last."""
        kind: str | None = frame.WhichOneof("body")
        if kind == "audio":
            await self._finals.room()
            frame, audio = self._with_more_audio(frame)
            await self._hear(self._hearing.hear(audio))
        elif kind == "commit":
            await self._commit(frame.commit.utterance)
        elif kind == "clear":
            await self._clear()
        elif kind == "config":
            self._reconfigure(frame.config)
        elif kind == "format":
            await self._hear(self._hearing.change_format(frame.format))
        elif kind == "end":
            await self._hear(self._hearing.finish())
            if self._turn is not None:
                await self._stop(self._turn, self._hearing.position, self._hearing.last_voiced)
        self._next_seq = frame.seq + 1
        heard_us = self._hearing.clock_us(self._hearing.position) - self._told_us
        if heard_us >= _PROGRESS_US or self._next_seq - self._told_seq >= _PROGRESS_INPUTS:
            await self._tell_progress()
        return kind == "end"

    def _with_more_audio(self, frame: EarsInput) -> tuple[EarsInput, bytes]:
        """The audio from this frame on that is there already, and the last frame of it.

        Many small pieces take longer to hear than a large one: who is behind catches up by this.
        """
        audio: bytes = frame.audio
        while len(audio) < _JOINED_BYTES and (more := self._lease.next_if(_is_audio)) is not None:
            frame = more
            audio += more.audio
        return frame, audio

    async def _hear(self, steps: AsyncIterator[list[Boundary]]) -> None:
        await self._turnstile.enter()
        async for boundaries in steps:
            for boundary in boundaries:
                await self._pass(boundary)
            await self._turnstile.breathe()
        if self._turn is not None:
            self._ahead.ask(self._turn)

    async def _pass(self, boundary: Boundary) -> None:
        if isinstance(boundary, Started):
            self._turn = OpenTurn(self._next_number, boundary.start)
            self._next_number += 1
            await self._lease.send(
                speech_started=SpeechStarted(
                    utterance=self._turn.number, audio_start_us=self._hearing.clock_us(boundary.start)
                )
            )
        elif self._turn is None:
            return
        elif isinstance(boundary, Sustained):
            await self._lease.send(speech_sustained=SpeechSustained(utterance=self._turn.number))
        elif isinstance(boundary, Paused):
            self._turn.pausing = True
        elif isinstance(boundary, Resumed):
            if self._turn.drop_guess():
                metrics.EARLY.labels("dropped").inc()
        elif isinstance(boundary, Stopped):
            await self._stop(self._turn, boundary.end, boundary.speech_end)

    async def _commit(self, number: int) -> None:
        if self._turn is not None:
            await self._stop(self._turn, self._hearing.position, self._hearing.last_voiced)
            self._hearing.cut()
            return
        if number and number < self._next_number:
            return  # it ended by itself before the commit came
        number = max(number, self._next_number)
        self._next_number = number + 1
        turn = OpenTurn(number, max(self._hearing.uncommitted, self._hearing.recording.start))
        end = self._hearing.position
        self._answer(turn, end, self._final_ask(turn, end))
        self._hearing.cut()

    async def _clear(self) -> None:
        end = self._hearing.position
        if self._turn is not None:
            turn, self._turn = self._turn, None
            turn.drop()
            await self._send_stopped(turn, end, end)
            # Nothing is left to recognise, but the turn was announced: its end is, too.
            self._answer(turn, end, self._asking.about_nothing())
        self._hearing.cut()

    def _reconfigure(self, config: EarsConfig) -> None:
        self._config = self._ahead.config = config
        self._asking.wanted = config.transcription
        self._hearing.change_policy(TurnPolicy.of(config, self._defaults))

    # --- turns that are over ---

    async def _stop(self, turn: OpenTurn, end: int, speech_end: int) -> None:
        self._turn = None
        turn.drop_partial()
        speech_end = min(max(speech_end, turn.start), end)
        await self._send_stopped(turn, end, speech_end)
        silence_s = (end - speech_end) / SAMPLE_RATE
        metrics.ENDPOINT_SECONDS.observe(silence_s)
        trace = traceparent(self._lease.work.call_id, turn.number)
        with stage_span("endpoint", trace, {"dialtone.stage": "asr"}, began=time.monotonic() - silence_s):
            pass  # audio comes in real time: so long ago the last voiced sample came
        ask, turn.guess = turn.lost or turn.guess, None
        if ask is None:
            ask = self._final_ask(turn, end)
        else:
            metrics.EARLY.labels("used").inc()
        ask.promote()
        self._answer(turn, end, ask)
        self._hearing.settle(end)

    async def _send_stopped(self, turn: OpenTurn, end: int, speech_end: int) -> None:
        await self._lease.send(
            speech_stopped=SpeechStopped(
                utterance=turn.number,
                audio_end_us=self._hearing.clock_us(end),
                speech_end_us=self._hearing.clock_us(speech_end),
            )
        )

    def _final_ask(self, turn: OpenTurn, end: int) -> Ask:
        """Asks for the words of a turn that is over; of a long one the first are shown meanwhile."""
        if not self._config.transcription.partials:
            return self._asking.about_turn(turn, end, Urgency.FINAL)

        def show(so_far: Recognition) -> None:
            self._spawn(self._ahead.send(turn, Transcript.KIND_PARTIAL, ask, so_far, end))

        ask = self._asking.about_turn(turn, end, Urgency.FINAL, show)
        return ask

    def _answer(self, turn: OpenTurn, end: int, ask: Ask) -> None:
        final = Transcript(
            utterance=turn.number,
            kind=Transcript.KIND_FINAL,
            audio_start_us=self._hearing.clock_us(turn.start),
            audio_end_us=self._hearing.clock_us(end),
        )
        self._finals.add(final, ask)

    # --- background ---

    async def _report_progress(self) -> None:
        """Says how far was listened: a leg that stands still is noticed, one that waits for words is not."""
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            if self._next_seq != self._told_seq or self._finals.crowded:
                await self._tell_progress()

    async def _tell_progress(self) -> None:
        self._told_seq, self._told_us = self._next_seq, self._hearing.clock_us(self._hearing.position)
        await self._lease.send(progress=AudioProgress(audio_us=self._told_us, next_seq=self._told_seq))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._lease.wake()  # it may have been what the leg stayed for
        if task.cancelled() or (error := task.exception()) is None or self._closing:
            return
        if self._failure is None:
            self._failure = error
            self._listening.cancel()

    async def _drop_everything(self) -> None:
        self._closing = True
        if self._turn is not None:
            self._turn.drop()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


def _is_audio(frame: EarsInput) -> bool:
    return frame.HasField("audio")
