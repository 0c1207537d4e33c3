"""A response: from what a model says to what the client sees and hears."""

from __future__ import annotations

from typing import Literal

from dialtone.telemetry.turn_trace import trace_id_of
from dialtone.v1.common_pb2 import Error
from dialtone.v1.turn_pb2 import LlmTurn, ToolCallDelta, TurnDone

from . import server_events as out
from .client_events import ResponseOptions
from .context import LLM, Context
from .effects import TurnOver
from .formats import audio_format, voice_of
from .items import Item
from .message_output import MessageOutput
from .response_input import ResponseInput
from .sentences import SentenceSplitter, is_speakable
from .session import SessionConfig
from .speculation import Speculation
from .speech_queue import SpeechQueue
from .timing import TurnMarks
from .tool_calls import ToolCalls
from .usage import UsageCount

Status = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]

# Of failures that asking again does not mend: what was asked for has to change, or how often.
FAILURE_TYPES = {
    "rate_limit_exceeded": "rate_limit_error",
    "context_length_exceeded": "invalid_request_error",
    "image_input_not_supported": "invalid_request_error",
    "invalid_image_url": "invalid_request_error",
    "invalid_request": "invalid_request_error",
    "model_not_found": "invalid_request_error",
    "tools_not_supported": "invalid_request_error",
}


class Response:
    """One response. It opens with `response.created` and ends with exactly one `response.done`."""

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
        self._ctx = context
        self._config: SessionConfig = context.config  # later updates are for later responses
        self.options = options
        self.id = response_id
        self.conversational = options.conversation == "auto"
        self.marks = marks
        self.user_item_id = user_item_id
        self._modalities = options.output_modalities or self._config.output_modalities
        self._format = options.output_format or self._config.audio.output.format
        self.status: Status = "in_progress"
        self._details: out.StatusDetails | None = None
        self._output: list[Item] = []
        self.input = ResponseInput()
        self.count = UsageCount()
        self.usage = out.Usage()  # known when it is over
        self._notices: dict[str, None] = {}  # each once, in their order
        self.lease_id = ""  # of the model's turn; empty until it is submitted
        self._turn_done: TurnDone | None = None
        self._message: MessageOutput | None = None
        self._tools = ToolCalls()
        self._adopted: Speculation | None = None
        self._splitter = SentenceSplitter()
        self.text = ""  # all that the model said
        self.speech = SpeechQueue(
            context,
            self,
            response_id=response_id,
            voice=voice_of(self._config, options.voice),
            audio_format=audio_format(self._format),
            busy_until=busy_until,
        )
        context.send(out.ResponseCreated(self._snapshot()))

    # --- what happens to it ---

    def submit(self, turn: LlmTurn) -> None:
        self.marks.submitted = self._ctx.now
        self.count.asked = turn
        self.lease_id = self._ctx.submit(LLM, turn=turn).id

    def adopt(self, speculation: Speculation) -> None:
        """Go on from a model's turn that was started before the user was known to have finished."""
        self.marks.submitted = speculation.submitted_at
        self.marks.first_token = speculation.first_token_at
        self.count = speculation.count
        self.lease_id = speculation.lease_id
        self._adopted = speculation

    @property
    def speaks(self) -> bool:
        return "audio" in self._modalities

    @property
    def over(self) -> bool:
        return self.status != "in_progress"

    def lease_ids(self) -> list[str]:
        return [*([self.lease_id] if self.lease_id and not self._turn_done else []), *self.speech.lease_ids()]

    def model_text(self, delta: str) -> None:
        if not delta:
            return
        if self.marks.first_token is None:
            self.marks.first_token = self._ctx.now
        if self._message is None:
            self._message = MessageOutput(
                self._ctx,
                response_id=self.id,
                output_index=len(self._output),
                audio=self.speaks,
                conversational=self.conversational,
            )
        self.text += delta
        if self.speech.stopped:
            return  # nobody is to hear or read what follows
        self._message.write(delta)
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

    def fail(self, code: str, message: str) -> None:
        """Stop here; what was sent of the speech is heard to its end."""
        if self.over:
            return
        self._stop(self.speech.playback.sent_us)
        self._finish("failed", error=(FAILURE_TYPES.get(code, "server_error"), code, message))

    def cancel(self, reason: Literal["turn_detected", "client_cancelled"]) -> None:
        """Stop here. Of what was said, the conversation keeps what can have been heard."""
        if self.over:
            return
        self._stop(self.speech.playback.played_us(self._ctx.now))
        self._finish("cancelled", reason=reason)

    def _stop(self, heard_us: int) -> None:
        leases = self.lease_ids()
        self.speech.stop(heard_us)
        self._ctx.cancel(leases)
        self._close_message("incomplete")

    def _close_message(self, status: Literal["completed", "incomplete"]) -> None:
        if self._message is None or self._message.closed:
            return
        cut = self.speaks and self.speech.stopped
        kept = self.speech.spoken().heard() if cut else None
        self._output.append(self._message.close("incomplete" if cut else status, kept))

    def _finish(
        self, status: Status, *, reason: str | None = None, error: tuple[str, str, str] | None = None
    ) -> None:
        self.status = status
        written = self.text + self._tools.written
        self.usage = self.count.total(written=written, spoken_us=self.speech.playback.sent_us)
        if status != "completed" and status != "in_progress":
            detail = out.StatusError(*error) if error else None
            self._details = out.StatusDetails(status, reason, detail)
        self._ctx.send(out.ResponseDone(self._snapshot()))
        trace = self._ctx.trace_of(self.id)
        self._ctx.forget(self.id)
        timing = self.marks.timing()
        self._ctx.send(
            out.TurnMetrics(
                self.id,
                self.user_item_id,
                timing,
                trace_id_of(trace),
                list(self._notices),
                self.marks.backends,
            )
        )
        self._ctx.emit(TurnOver(trace, self.id, status, error[1] if error else "", self.marks))

    # --- what the speech queue says ---

    def spoken_audio(self, audio: bytes) -> None:
        if self.marks.first_audio is None:
            self.marks.first_audio = self._ctx.now
        if self._message is not None:
            self._message.audio(audio)

    def sentence_spoken(self, index: int, text: str) -> None:
        self._ctx.send(out.SentenceSpoken(self.id, index, text))

    def voice_notice(self, notice: str) -> None:
        self._notices[notice] = None

    def sentence_failed(self, index: int, error: Error) -> None:
        """The sentence stays in the transcript; the client is told that it has no sound."""
        self._ctx.error(
            error.code or "speech_failed",
            f"Sentence {index} of response {self.id} could not be spoken: {error.message}",
            type="server_error",
        )

    # --- how it looks ---

    def _snapshot(self) -> out.Response:
        options, config, extra = self.options, self._config, self._config.dialtone
        return out.Response(
            id=self.id,
            status=self.status,
            status_details=self._details,
            output=list(self._output),
            conversation_id=f"conv_{self._ctx.session_id}" if self.conversational else None,
            output_modalities=self._modalities,
            max_output_tokens=options.max_output_tokens or config.max_output_tokens,
            audio=out.ResponseAudio(
                out.ResponseAudioOutput(self._format, options.voice or config.audio.output.voice)
            ),
            usage=self.usage if self.over else None,
            metadata=options.metadata,
            temperature=extra.temperature if options.temperature is None else options.temperature,
        )

    def wrote(self, item: Item | None) -> bool:
        """Whether this very item is of its output."""
        return any(item is written for written in self._output)

    @property
    def message_id(self) -> str | None:
        """The item with its words, once it has any."""
        return self._message.item_id if self._message else None
