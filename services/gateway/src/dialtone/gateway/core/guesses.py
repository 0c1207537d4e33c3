"""Which answer is begun on a guess: at most one, for the utterance that pauses."""

from __future__ import annotations

from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.speech_pb2 import Sentence

from .client_events import ResponseOptions
from .context import LLM, Context
from .formats import audio_format, voice_of
from .input_turns import Utterance
from .instructions import language_of_user
from .items import InputText, MessageItem
from .lease_table import HeldLease
from .prompt import turn_that_fits
from .speculation import Speculation


class Guesses:
    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._guess: Speculation | None = None

    def begin(self, utterance: Utterance, text: str) -> None:
        """Begin to answer `text`, in case the utterance says no more; an answer to less is dropped."""
        ctx = self._ctx
        if not text or utterance.candidates >= ctx.limits.candidates_per_turn:
            return
        if self._guess is not None and self._guess.answers(utterance.item_id, text):
            return
        self.drop()
        utterance.candidates += 1
        response_id = ctx.new_id("resp")
        said = MessageItem(utterance.item_id, "user", [InputText(text)])
        turn = turn_that_fits(ctx, ResponseOptions(), [*ctx.conversation, said], response_id)
        if turn is None:
            return
        speaks = "audio" in ctx.config.output_modalities
        ctx.answers(response_id, utterance.number)
        voice = voice_of(ctx.config, None, language_of_user(turn.messages))
        form = audio_format(ctx.config.audio.output.format)

        def sentence_of(piece: str) -> Sentence:
            return Sentence(response_id=response_id, index=0, text=piece, voice=voice, format=form)

        self._guess = Speculation(
            ctx,
            item_id=utterance.item_id,
            text=text,
            response_id=response_id,
            turn=turn,
            sentence_of=sentence_of if speaks else None,
        )

    def take(self, item_id: str, text: str) -> Speculation | None:
        """The guess, if this is what it answers; a wrong one is dropped."""
        guess, self._guess = self._guess, None
        if guess is None or guess.answers(item_id, text):
            return guess
        guess.cancel()
        return None

    def drop(self) -> None:
        if self._guess is not None:
            self._guess.cancel()
            self._guess = None

    # --- what its workers say ---

    def owns(self, lease_id: str) -> bool:
        return self._guess is not None and self._guess.owns(lease_id)

    def keep(self, lease: HeldLease, event: WorkerEvent) -> None:
        if self._guess is not None:
            self._guess.keep(lease, event)

    def delivered(self, lease: HeldLease) -> tuple[str, int]:
        """See `Answers.delivered`."""
        if self._guess is None:
            return "", 0
        if lease.stage == LLM:
            self._guess.model_restarted()
            return self._guess.delivered_text(), 0
        return "", self._guess.delivered_us()
