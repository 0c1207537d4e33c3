"""What Moshi says, and what becomes of it: each of its utterances is a response."""

from __future__ import annotations

from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.moshi_pb2 import SayingStarted, SayingStopped

from .answers import Answers
from .context import Context
from .formats import wire_format
from .input_turns import InputTurns
from .legs import Legs
from .saying import Saying


class Sayings:
    """An utterance that is cancelled, or interrupted, is muted: Moshi goes on with it, and nobody hears it.
    One that is cut off with its worker has failed, for another Moshi does not know what was to follow."""

    def __init__(self, context: Context, legs: Legs, turns: InputTurns, answers: Answers) -> None:
        self._ctx = context
        self._legs = legs
        self._turns = turns
        self._answers = answers
        self._saying: Saying | None = None  # the last that began
        self.next_number = 1
        self._counted_us = 0  # of what Moshi has heard, by the responses so far
        self._heard_at = 0.0  # when the utterance before the present one was first heard

    def take(self, event: WorkerEvent) -> None:
        """An event of the Moshi that is in the call."""
        body = event.WhichOneof("body")
        if body == "saying_started":
            self._started(event.saying_started)
        elif body == "saying_audio":
            if (saying := self._find(event.saying_audio.utterance)) is not None:
                saying.sound(event.saying_audio)
        elif body == "saying_text":
            if (saying := self._find(event.saying_text.utterance)) is not None:
                saying.write(event.saying_text.text)
        elif body == "saying_stopped":
            if (saying := self._find(event.saying_stopped.utterance)) is not None:
                self._stopped(saying, event.saying_stopped)
        else:
            if body == "leg_done":
                self._finish()
            if self._legs.moshi is not None:
                self._legs.moshi.take(event)

    def _find(self, number: int) -> Saying | None:
        saying = self._saying
        return saying if saying is not None and not saying.over and saying.number == number else None

    def _started(self, event: SayingStarted) -> None:
        if event.utterance < self.next_number:
            return
        self._finish()
        if self._saying is not None:
            self._heard_at = self._saying.marks.first_audio or self._heard_at
        self.next_number = event.utterance + 1
        saying = Saying(
            self._ctx,
            self._turns,
            number=event.utterance,
            output_format=wire_format(event.format) or self._ctx.config.audio.output.format,
            busy_until=self._answers.player_busy_until,
            after=self._heard_at,
        )
        saying.count.heard_us = max(0, event.audio_us - self._counted_us)
        self._counted_us = max(self._counted_us, event.audio_us)
        self._saying = saying
        self._answers.admit(saying)
        if not saying.over:
            saying.open()

    def _stopped(self, saying: Saying, event: SayingStopped) -> None:
        saying.stopped(event)
        self._answers.settled(saying)

    def _finish(self) -> None:
        """The last utterance is over, whether its end was told or not."""
        saying = self._saying
        if saying is not None and not saying.over:
            self._stopped(saying, SayingStopped(utterance=saying.number))

    def lost(self) -> None:
        """The Moshi that spoke is in the call no more."""
        saying = self._saying
        if saying is not None and not saying.over:
            saying.fail("worker_lost", "Moshi was lost in the middle of this, and begins afresh.")
            self._answers.settled(saying)
