"""A response that a text model writes and a voice speaks."""

from __future__ import annotations

from dialtone.v1.common_pb2 import Error
from dialtone.v1.turn_pb2 import Answerer, LlmTurn, ToolCallDelta, TurnDone

from .client_events import ResponseOptions
from .context import LLM, Context
from .formats import audio_format, voice_of
from .instructions import language_of_user
from .response import Response
from .response_input import ResponseInput
from .sentences import SentenceSplitter, is_speakable
from .speculation import Speculation
from .speech_queue import SpeechQueue
from .timing import TurnMarks
from .tool_calls import ToolCalls


class ModelResponse(Response):
    speech: SpeechQueue

    def __init__(
        self,
        context: Context,
        options: ResponseOptions,
        *,
        response_id: str,
        marks: TurnMarks,
        user_item_id: str | None,
        busy_until: float = 0.0,
    ) -> None:
        """`busy_until`: when the client's player is through with what it was sent before."""
        config = context.config
        self.speech = SpeechQueue(
            context,
            self,
            response_id=response_id,
            voice=voice_of(config, options.voice),
            audio_format=audio_format(options.output_format or config.audio.output.format),
            busy_until=busy_until,
        )
        self.input = ResponseInput()
        self.lease_id = ""  # of the model's turn; empty until it is submitted
        self._turn_done: TurnDone | None = None
        self._tools = ToolCalls()
        self._adopted: Speculation | None = None
        self._splitter = SentenceSplitter()
        super().__init__(context, options, response_id=response_id, marks=marks, user_item_id=user_item_id)

    # --- what happens to it ---

    def submit(self, turn: LlmTurn) -> None:
        self.marks.submitted = self._ctx.now
        self.count.asked = turn
        self._speak_to(turn)
        self.lease_id = self._ctx.submit(LLM, turn=turn).id

    def adopt(self, speculation: Speculation) -> None:
        """Go on from a model's turn that was started before the user was known to have finished."""
        self.marks.submitted = speculation.submitted_at
        self.marks.first_token = speculation.first_token_at
        self.count = speculation.count
        self.lease_id = speculation.lease_id
        self._adopted = speculation
        if self.count.asked is not None:
            self._speak_to(self.count.asked)

    def _speak_to(self, turn: LlmTurn) -> None:
        self.speech.speak_as(voice_of(self._ctx.config, self.options.voice, language_of_user(turn.messages)))

    def answered_by(self, answerer: Answerer) -> None:
        """Note which model answers; those of a list take over from each other."""
        self.marks.worked("llm", answerer.backend)
        self.marks.worked("model", answerer.model)

    def model_text(self, delta: str) -> None:
        if not delta:
            return
        if self.marks.first_token is None:
            self.marks.first_token = self._ctx.now
        message = self._message or self._open_message()
        self.text += delta
        if self.speech.stopped:
            return  # nobody is to hear or read what follows
        message.write(delta)
        self._speak(self._splitter.feed(delta))

    def _speak(self, pieces: list[str]) -> None:
        for piece in pieces:
            if self.marks.first_sentence is None:
                self.marks.first_sentence = self._ctx.now
            if not is_speakable(piece):
                continue  # nothing to be heard: it is in the transcript already
            if not self.speaks:
                self.sentence_spoken(-1, piece)
            elif self._adopted and self._adopted.piece == piece and self._adopted.speech_lease_id:
                guess, self._adopted = self._adopted, None
                self.marks.first_sentence = guess.speech_submitted_at
                self.speech.add(piece, lease_id=guess.speech_lease_id)
            else:
                self.speech.add(piece)

    def model_tool_call(self, delta: ToolCallDelta) -> None:
        self._tools.add(delta)

    def model_restarted(self) -> None:
        """Another attempt takes the turn up; it is given `text` to go on from."""
        self.count.lost(self.text, self._tools.written)
        self._tools.forget()

    def model_done(self, done: TurnDone) -> None:
        self._turn_done = done
        self._ctx.leases.close(self.lease_id)
        self.count.told(done.usage)
        self._speak(self._splitter.flush())
        self.settle()

    def settle(self) -> None:
        """End the response if the model has finished and all of it was sent."""
        if self.over or self._turn_done is None or not self.speech.idle:
            return
        reason = self._turn_done.finish_reason
        cut_off = reason in (TurnDone.FINISH_REASON_LENGTH, TurnDone.FINISH_REASON_CONTENT_FILTER)
        self._close_message("incomplete" if cut_off else "completed")
        broken = self._tools.take_broken()
        if broken and not cut_off:
            self.fail("invalid_tool_arguments", f"The model called {broken[0]} with what is not JSON.")
            return
        self._output += self._tools.send(
            self._ctx,
            response_id=self.id,
            first_index=len(self._output),
            conversational=self.conversational,
        )
        if reason == TurnDone.FINISH_REASON_LENGTH:
            self._finish("incomplete", reason="max_output_tokens")
        elif reason == TurnDone.FINISH_REASON_CONTENT_FILTER:
            self._finish("incomplete", reason="content_filter")
        elif not self._output:
            self._finish("failed", error=("server_error", "empty_response", "The model answered nothing."))
        else:
            self._finish("completed")

    def _leases(self) -> list[str]:
        return [self.lease_id] if self.lease_id and not self._turn_done else []

    def _written(self) -> str:
        return self.text + self._tools.written

    # --- what the speech queue says ---

    def voice_notice(self, notice: str) -> None:
        self._notices[notice] = None

    def spoken_by(self, voice: str, backend: str) -> None:
        # Of several that spoke a sentence the worker has joined the names.
        self.marks.worked("tts", *backend.split("+"))
        self.marks.worked("voice", *voice.split("+"))

    def sentence_failed(self, index: int, error: Error) -> None:
        """The sentence stays in the transcript; the client is told that it has no sound."""
        self._ctx.error(
            error.code or "speech_failed",
            f"Sentence {index} of response {self.id} could not be spoken: {error.message}",
            type="server_error",
        )
