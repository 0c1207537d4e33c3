"""One ears leg: inputs of a call in, speech events and transcripts out.

Hearing and endpointing happen at once, in `Hearing`; this file turns what they reveal into events and
asks for transcripts in the background, so that audio is never kept waiting by a model. Every
SpeechStarted is followed by one SpeechStopped, and every turn by one final Transcript, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from dialtone.bus import HandBack, Lease
from dialtone.telemetry import get_logger
from dialtone.v1.common_pb2 import Error
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
from dialtone.vad_asr.asr.pool import PoolOverloaded, RecognitionFailed, Urgency
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, Passage, Recognition
from dialtone.vad_asr.endpointing import Boundary, Paused, Resumed, Started, Stopped, Sustained
from dialtone.vad_asr.hearing import Hearing, NewTracker
from dialtone.vad_asr.passages import passages
from dialtone.vad_asr.policy import LegLimits, TurnDefaults, TurnPolicy
from dialtone.vad_asr.transcriber import Transcriber
from dialtone.vad_asr.turn import Ask, OpenTurn
from dialtone.vad_asr.turnstile import Turnstile

log = get_logger(__name__)

_PROGRESS_SECONDS = 0.3
_JOINED_BYTES = 9_600  # 200 ms at 24 kHz: what a leg that is behind hears at once at most
_LEAVING_SECONDS = 0.1  # finals that are nearly there are worth this long when the worker leaves


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
        self._transcriber = transcriber
        self._turnstile = turnstile
        self._defaults = defaults
        self._limits = limits
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
        self._next_number = resume.next_utterance
        self._turn: OpenTurn | None = None
        if resume.in_speech:
            start = self._hearing.position_at(resume.speech_start_us)
            self._turn = OpenTurn(max(resume.next_utterance - 1, 0), start)
            self._hearing.endpointer.resume(start)
        self._next_seq = resume.next_seq
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_final: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._closing = False

    async def run(self) -> None:
        """Listens until EndOfInput. Raises HandBack when the worker leaves, and UnsupportedFormat."""
        listening = asyncio.current_task()
        assert listening is not None
        self._listening = listening
        self._spawn(self._report_progress())
        try:
            async for frame in self._lease.inputs():
                if await self._take(frame):
                    break
            await self._finals()
            await self._lease.send(leg_done=LegDone())
        except HandBack:
            await self._finals(_LEAVING_SECONDS)
            raise
        except asyncio.CancelledError:
            if self._failure is None:
                raise
            listening.uncancel()
            raise self._failure from None
        finally:
            await self._drop_everything()

    # --- inputs ---

    async def _take(self, frame: EarsInput) -> bool:
        """Does what the frame says; True when it was the last."""
        kind: str | None = frame.WhichOneof("body")
        if kind == "audio":
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

    async def _hear(self, steps: Iterator[list[Boundary]]) -> None:
        await self._turnstile.enter()
        for boundaries in steps:
            for boundary in boundaries:
                await self._pass(boundary)
            if self._turn is not None and self._config.transcription.partials:
                self._offer_partial(self._turn)
            await self._turnstile.breathe()

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
            self._guess(self._turn)
        elif isinstance(boundary, Resumed):
            if self._turn.drop_guess():
                metrics.EARLY.labels("dropped").inc()
        elif isinstance(boundary, Stopped):
            await self._stop(self._turn, boundary.end, boundary.speech_end)

    async def _commit(self, number: int) -> None:
        if self._turn is not None:
            await self._stop(self._turn, self._hearing.position, self._hearing.last_voiced)
            return
        if number and number < self._next_number:
            return  # it ended by itself before the commit came
        number = max(number, self._next_number)
        self._next_number = number + 1
        start = max(self._hearing.uncommitted, self._hearing.recording.start)
        end = self._hearing.position
        self._answer(number, start, end, self._ask(start, end, Urgency.FINAL))
        self._hearing.settle(end)

    async def _clear(self) -> None:
        end = self._hearing.position
        if self._turn is not None:
            turn, self._turn = self._turn, None
            turn.drop_guess()
            turn.drop_partial()
            await self._send_stopped(turn, end, end)
            # Nothing is left to recognise, but the turn was announced: its end is, too.
            self._answer(turn.number, turn.start, end, self._begin([], Urgency.FINAL))
        self._hearing.settle(end)

    def _reconfigure(self, config: EarsConfig) -> None:
        self._config = config
        self._hearing.change_policy(TurnPolicy.of(config, self._defaults))

    # --- turns ---

    async def _stop(self, turn: OpenTurn, end: int, speech_end: int) -> None:
        self._turn = None
        turn.drop_partial()
        speech_end = min(max(speech_end, turn.start), end)
        await self._send_stopped(turn, end, speech_end)
        metrics.ENDPOINT_SECONDS.observe((end - speech_end) / SAMPLE_RATE)
        guess = turn.guess
        if guess is None:
            ask = self._ask(turn.start, end, Urgency.FINAL)
        else:
            metrics.EARLY.labels("used").inc()
            guess.transcription.promote()
            ask = Ask(guess.transcription, guess.passages)
        self._answer(turn.number, turn.start, end, ask)
        self._hearing.settle(end)

    async def _send_stopped(self, turn: OpenTurn, end: int, speech_end: int) -> None:
        await self._lease.send(
            speech_stopped=SpeechStopped(
                utterance=turn.number,
                audio_end_us=self._hearing.clock_us(end),
                speech_end_us=self._hearing.clock_us(speech_end),
            )
        )

    def _guess(self, turn: OpenTurn) -> None:
        """A pause: recognises what was said so far, in case that was all."""
        if not self._transcriber.early:
            return
        turn.drop_partial()
        turn.guess = self._ask(turn.start, self._hearing.position, Urgency.CANDIDATE)
        self._spawn(self._await_guess(turn, turn.guess, self._hearing.position))

    async def _await_guess(self, turn: OpenTurn, guess: Ask, end: int) -> None:
        try:
            recognition = await guess.transcription.result()
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            return
        except (PoolOverloaded, RecognitionFailed):
            if turn.guess is guess and self._turn is turn:
                turn.guess = None  # the final asks anew
            return
        announced = self._config.turn_detection.candidate_pause_ms and recognition.text
        if announced and turn.guess is guess and self._turn is turn:
            await self._send_transcript(turn, Transcript.KIND_CANDIDATE, guess, recognition, end)

    def _offer_partial(self, turn: OpenTurn) -> None:
        """Shows what was said so far, now and then, while nobody needs the model for more."""
        position, limits = self._hearing.position, self._limits
        turn.next_partial = turn.next_partial or turn.start + round(limits.partial_every * SAMPLE_RATE)
        if position < turn.next_partial or turn.partial or turn.guess or not self._transcriber.idle:
            return
        if not self._transcriber.early or position - turn.start > limits.longest_partial * SAMPLE_RATE:
            return
        turn.next_partial = position + round(limits.partial_every * SAMPLE_RATE)
        turn.partial = self._ask(turn.start, position, Urgency.PARTIAL)
        self._spawn(self._await_partial(turn, turn.partial, position))

    async def _await_partial(self, turn: OpenTurn, partial: Ask, end: int) -> None:
        try:
            recognition = await partial.transcription.result()
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            return
        except (PoolOverloaded, RecognitionFailed):
            return
        finally:
            stale = turn.partial is not partial or self._turn is not turn
            if not stale:
                turn.partial = None
        if recognition.text and not stale:
            await self._send_transcript(turn, Transcript.KIND_PARTIAL, partial, recognition, end)

    async def _send_transcript(
        self, turn: OpenTurn, kind: Transcript.Kind, ask: Ask, recognition: Recognition, end: int
    ) -> None:
        await self._lease.send(
            transcript=Transcript(
                utterance=turn.number,
                kind=kind,
                text=recognition.text,
                language=recognition.language,
                audio_start_us=self._hearing.clock_us(turn.start),
                audio_end_us=self._hearing.clock_us(end),
                compute_us=recognition.compute_us,
                wait_us=ask.wait_us(),
            )
        )

    # --- finals ---

    def _answer(self, number: int, start: int, end: int, ask: Ask) -> None:
        """Sends the turn's final transcript when it is there, after those of the turns before it."""
        before = self._last_final
        self._last_final = self._spawn(self._send_final(number, start, end, ask, before))

    async def _send_final(
        self, number: int, start: int, end: int, ask: Ask, before: asyncio.Task[None] | None
    ) -> None:
        final = Transcript(
            utterance=number,
            kind=Transcript.KIND_FINAL,
            audio_start_us=self._hearing.clock_us(start),
            audio_end_us=self._hearing.clock_us(end),
        )
        try:
            recognition = await self._recognition(ask)
        except PoolOverloaded as error:
            final.error.CopyFrom(Error(code="overloaded", message=str(error), retryable=True))
        except RecognitionFailed as error:
            final.error.CopyFrom(Error(code="recognition_failed", message=str(error), retryable=True))
        else:
            final.text = recognition.text
            final.language = recognition.language
            final.compute_us = recognition.compute_us
        final.wait_us = ask.wait_us()
        if before is not None:
            await asyncio.wait({before})
        metrics.TURNS.labels(final.error.code or ("text" if final.text else "empty")).inc()
        await self._lease.send(transcript=final)

    async def _recognition(self, ask: Ask) -> Recognition:
        try:
            return await ask.transcription.result()
        except (PoolOverloaded, RecognitionFailed):
            # A guess gives way to others' finals, and may have; now it is a final itself.
            return await self._begin(ask.passages, Urgency.FINAL).transcription.result()

    def _ask(self, start: int, end: int, urgency: Urgency) -> Ask:
        wanted = self._config.transcription
        cut = passages(
            self._hearing.recording,
            self._hearing.voice,
            start,
            end,
            language=wanted.language,
            prompt=wanted.prompt,
        )
        return self._begin(cut, urgency)

    def _begin(self, cut: Sequence[Passage], urgency: Urgency) -> Ask:
        return Ask(self._transcriber.begin(cut, urgency), cut)

    async def _finals(self, timeout: float | None = None) -> None:
        if self._last_final is not None:
            await asyncio.wait({self._last_final}, timeout=timeout)

    # --- background ---

    async def _report_progress(self) -> None:
        """Says how far was listened, so that a leg that stands still is noticed."""
        told = -1
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            if self._next_seq != told:
                told = self._next_seq
                audio_us = self._hearing.clock_us(self._hearing.position)
                await self._lease.send(progress=AudioProgress(audio_us=audio_us, next_seq=told))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None or self._closing:
            return
        if self._failure is None:
            self._failure = error
            self._listening.cancel()

    async def _drop_everything(self) -> None:
        self._closing = True
        if self._turn is not None:
            self._turn.drop_guess()
            self._turn.drop_partial()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


def _is_audio(frame: EarsInput) -> bool:
    return frame.HasField("audio")


def _is_cancelled() -> bool:
    """Whether this task was cancelled itself, not the transcription that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
