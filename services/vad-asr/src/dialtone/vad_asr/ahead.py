"""What is asked about a turn before it is over: what would be its final at a pause, partials meanwhile."""

from __future__ import annotations

import asyncio

from dialtone.bus import Lease
from dialtone.v1.ears_pb2 import EarsConfig, Transcript
from dialtone.vad_asr.asking import Asking
from dialtone.vad_asr.asr.pool import PoolOverloaded, RecognitionFailed, RecognitionLost, Urgency
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, Recognition
from dialtone.vad_asr.finals import Spawn
from dialtone.vad_asr.hearing import Hearing
from dialtone.vad_asr.policy import LegLimits
from dialtone.vad_asr.turn import Ask, OpenTurn
from dialtone.vad_asr.turn_end import sounds

_FOLLOWED_EVERY = SAMPLE_RATE // 10


class Ahead:
    """Asks, and sends what comes while the turn still goes on; `config` is the client's."""

    def __init__(
        self,
        lease: Lease,
        hearing: Hearing,
        asking: Asking,
        spawn: Spawn,
        limits: LegLimits,
        config: EarsConfig,
    ) -> None:
        self._lease = lease
        self._hearing = hearing
        self._asking = asking
        self._spawn = spawn
        self._partial_every = round(limits.partial_every * SAMPLE_RATE)
        self.config = config

    def ask(self, turn: OpenTurn) -> None:
        """After some audio of the turn: asks for what is of use by now.

        While what comes next is there already, nothing but the parts of a long turn is.
        """
        if turn.lost is not None:
            return
        self._asking.settle(turn)
        if self._lease.behind or not self._asking.early:
            return
        if self._asking.followed and not turn.unfollowed:
            self._follow(turn)
        elif turn.pausing:
            self._guess(turn)
        elif self.config.transcription.partials or self._asking.live:
            self._offer_partial(turn)

    async def send(
        self, turn: OpenTurn, kind: Transcript.Kind, ask: Ask, recognition: Recognition, end: int
    ) -> None:
        """Sends what was said in the turn up to `end`, as far as is known."""
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
                backend=recognition.backend,
            )
        )

    def _guess(self, turn: OpenTurn) -> None:
        """A pause: recognises what was said so far, in case that was all."""
        turn.pausing = False
        turn.drop_partial()
        position = self._hearing.position
        turn.guess = self._asking.about_turn(turn, position, Urgency.CANDIDATE)
        self._spawn(self._await_guess(turn, turn.guess, position))

    async def _await_guess(self, turn: OpenTurn, guess: Ask, end: int) -> None:
        try:
            recognition = await guess.result()
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            return
        except RecognitionLost:
            turn.lost = guess
            return
        except (PoolOverloaded, RecognitionFailed):
            if turn.guess is guess:
                turn.guess = None  # the final asks anew
            return
        if turn.guess is not guess:
            return
        self._hearing.endpointer.judge(sounds(recognition.text))
        if self.config.turn_detection.candidate_pause_ms and recognition.text:
            await self.send(turn, Transcript.KIND_CANDIDATE, guess, recognition, end)

    def _follow(self, turn: OpenTurn) -> None:
        """The recogniser is to say whether that was all: it is given what it has not heard yet, at a time."""
        position = self._hearing.position
        if turn.partial or position < turn.followed_to + _FOLLOWED_EVERY:
            return
        turn.followed_to = position
        turn.partial = self._asking.about_turn(turn, position, Urgency.FOLLOWED)
        self._spawn(self._await_followed(turn, turn.partial, position))

    async def _await_followed(self, turn: OpenTurn, asked: Ask, position: int) -> None:
        try:
            recognition = await asked.result()
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            return
        except (PoolOverloaded, RecognitionFailed):
            turn.unfollowed = True  # where this one ends is for the silence to say
            return
        finally:
            stale = turn.partial is not asked
            if not stale:
                turn.partial = None
        if stale:
            return
        if recognition.turn_over:
            self._hearing.endpointer.tell(position)
        shown, turn.shown = turn.shown, recognition.text
        if self.config.transcription.partials and recognition.text not in ("", shown):
            await self.send(turn, Transcript.KIND_PARTIAL, asked, recognition, position)

    def _offer_partial(self, turn: OpenTurn) -> None:
        """Shows what was said so far, now and then, while nobody needs the model for more."""
        position = self._hearing.position
        turn.next_partial = turn.next_partial or turn.start + self._partial_every
        if position < turn.next_partial or turn.partial or turn.guess or not self._asking.idle:
            return
        turn.next_partial = position + self._partial_every
        turn.partial = self._asking.about_turn(turn, position, Urgency.PARTIAL)
        self._spawn(self._await_partial(turn, turn.partial, position))

    async def _await_partial(self, turn: OpenTurn, partial: Ask, end: int) -> None:
        try:
            recognition = await partial.result()
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            return
        except RecognitionLost:
            turn.lost = partial
            return
        except (PoolOverloaded, RecognitionFailed):
            return
        finally:
            stale = turn.partial is not partial
            if not stale:
                turn.partial = None
                # What is only shown takes half of the model's time at most.
                took = partial.wait_us() * SAMPLE_RATE // 1_000_000
                turn.next_partial = max(turn.next_partial, self._hearing.position + took)
        if recognition.text and not stale and self.config.transcription.partials:
            await self.send(turn, Transcript.KIND_PARTIAL, partial, recognition, end)


def _is_cancelled() -> bool:
    """Whether this task was cancelled itself, not the transcription that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
