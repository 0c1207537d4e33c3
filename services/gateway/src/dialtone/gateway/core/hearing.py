"""What the ears say, and what it means for the answers: which speech interrupts one, what is answered.

Where a session asks for more than a sound to interrupt (`Threshold`), an utterance over an answer is
kept from the client until it is enough: clients stop playing as soon as they are told that the user
speaks. One that is over before it was enough is a backchannel: an item like any other, with its words,
but it neither ends the answer nor gets one.
"""

from __future__ import annotations

from dialtone.v1.ears_pb2 import SpeechStarted, SpeechStopped, Transcript
from dialtone.v1.events_pb2 import WorkerEvent

from . import server_events as out
from .answers import Answers
from .context import Context
from .ears_link import EarsLink
from .idle_timeout import IdleTimeout
from .input_turns import InputTurns, Understood, Utterance
from .interruption import Threshold
from .item_recordings import ItemRecordings
from .words import count_words


class Hearing:
    def __init__(
        self,
        context: Context,
        ears: EarsLink,
        turns: InputTurns,
        recordings: ItemRecordings,
        answers: Answers,
        idle: IdleTimeout,
    ) -> None:
        self._ctx = context
        self._ears = ears
        self._turns = turns
        self._recordings = recordings
        self._answers = answers
        self._idle = idle

    def take(self, event: WorkerEvent) -> None:
        """An event of the ears that listen, or of the work on a recording."""
        body = event.WhichOneof("body")
        if self._recordings.has(event.lease_id):
            if body == "transcript":
                self._recordings.take(event.lease_id, event.transcript)
            return
        if self._ears.take(event):
            return
        if body == "speech_started":
            self._started(event.speech_started)
        elif body == "speech_sustained":
            self._sustained(event.speech_sustained.utterance)
        elif body == "speech_stopped":
            self._stopped(event.speech_stopped)
        elif body == "transcript":
            self._transcript(event.transcript)

    def give_up_overdue(self) -> None:
        """Transcripts that do not come are not waited for any longer."""
        self._recordings.give_up_overdue()
        for turn in self._turns.overdue():
            self._understood(turn)

    # --- utterances ---

    @property
    def _threshold(self) -> Threshold:
        return Threshold.of(self._ctx.config, self._ctx.limits)

    def _started(self, event: SpeechStarted) -> None:
        utterance = self._turns.started(event)
        if utterance is not None:
            self._weigh(utterance)

    def _sustained(self, number: int) -> None:
        utterance = self._turns.find(number)
        if utterance is not None:
            utterance.sustained = True
            self._weigh(utterance)

    def _stopped(self, event: SpeechStopped) -> None:
        utterance = self._turns.find(event.utterance)
        if utterance is not None and not utterance.committed:
            self._weigh(utterance)
            utterance.backchannel = not utterance.announced
        self._turns.stopped(event)

    def _weigh(self, utterance: Utterance) -> None:
        """Announce the utterance, unless it is over an answer and not enough to interrupt it."""
        if utterance.announced or utterance.committed or not self._ctx.config.tells_speech:
            return
        if not self._answers.going or self._is_enough(utterance):
            self._turns.announce(utterance)
            if self._ctx.config.interrupts:
                self._answers.interrupted()

    def _is_enough(self, utterance: Utterance) -> bool:
        return self._threshold.reached(sustained=utterance.sustained, words=utterance.words)

    # --- words ---

    def _transcript(self, event: Transcript) -> None:
        if event.kind == Transcript.KIND_FINAL:
            turn = self._turns.transcribed(event)
            if turn is not None:
                self._understood(turn)
            return
        utterance, config = self._turns.find(event.utterance), self._ctx.config
        if utterance is None:
            return
        if utterance.committed:  # a long one, of which the first words are known
            if config.listens_only:
                self._turns.partly_transcribed(utterance, event.text)
            return
        if not utterance.announced:
            utterance.words = max(utterance.words, count_words(event.text))
            self._weigh(utterance)
        if event.kind == Transcript.KIND_CANDIDATE and utterance.announced and config.answers_turns:
            self._answers.candidate(utterance, event.text)
        if config.listens_only:
            self._turns.partly_transcribed(utterance, event.text)
        if config.dialtone.partial_transcripts:
            self._ctx.send(out.PartialTranscript(utterance.item_id, event.text))

    def _understood(self, turn: Understood) -> None:
        """The user's turn has its words, as far as it will get any."""
        utterance = turn.utterance
        answer = self._ctx.config.answers_turns and not utterance.unwanted
        if turn.text:
            self._idle.stirred()
        if utterance.backchannel:
            utterance.words = count_words(turn.text)
            enough = self._is_enough(utterance)
            answer = answer and enough
            # Its words came too late to be weighed before.
            if self._ctx.config.interrupts and turn.text and enough:
                self._answers.interrupted()
        self._answers.understood(turn, answer=answer)
