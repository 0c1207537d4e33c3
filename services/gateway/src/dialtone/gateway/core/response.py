"""A response, whoever makes it: what the client sees and hears of it from its beginning to its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Protocol

from dialtone.telemetry.turn_trace import trace_id_of

from . import server_events as out
from .client_events import ResponseOptions
from .context import Context
from .effects import TurnOver
from .items import Item
from .message_output import MessageOutput
from .playback import Playback
from .session import SessionConfig
from .spoken_text import SpokenText
from .timing import TurnMarks
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


class Speech(Protocol):
    """The sound of a response, and how its text goes with it."""

    playback: Playback

    @property
    def stopped(self) -> bool:
        """No more of it is wanted."""

    def stop(self, heard_us: int) -> list[str]:
        """Say no more; of what was sent, no more than this is heard. Returns the leases to cancel."""

    def spoken(self) -> SpokenText:
        """How text and sound go together, as far as the sound was sent."""


class Response(ABC):
    """One response. It opens with `response.created` and ends with exactly one `response.done`."""

    speech: Speech  # set before this class's own part is

    def __init__(
        self,
        context: Context,
        options: ResponseOptions,
        *,
        response_id: str,
        marks: TurnMarks,
        user_item_id: str | None,
    ) -> None:
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
        self.count = UsageCount()
        self.usage = out.Usage()  # known when it is over
        self._notices: dict[str, None] = {}  # each once, in their order
        self._message: MessageOutput | None = None
        self.text = ""  # all that was written of it
        context.send(out.ResponseCreated(self._snapshot()))

    @property
    def speaks(self) -> bool:
        return "audio" in self._modalities

    @property
    def over(self) -> bool:
        return self.status != "in_progress"

    # --- how it goes on ---

    def _open_message(self) -> MessageOutput:
        self._message = MessageOutput(
            self._ctx,
            response_id=self.id,
            output_index=len(self._output),
            audio=self.speaks,
            conversational=self.conversational,
        )
        return self._message

    def spoken_audio(self, audio: bytes) -> None:
        if self.marks.first_audio is None:
            self.marks.first_audio = self._ctx.now
        if self._message is not None:
            self._message.audio(audio)

    def sentence_spoken(self, index: int, text: str) -> None:
        self._ctx.send(out.SentenceSpoken(self.id, index, text))

    # --- how it ends ---

    @abstractmethod
    def settle(self) -> None:
        """End the response if all of it is there and was sent."""

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
        self._ctx.cancel([*self._leases(), *self.speech.stop(heard_us)])
        self._close_message("incomplete")

    def _close_message(self, status: Literal["completed", "incomplete"]) -> None:
        if self._message is None or self._message.closed:
            return
        cut = self.speaks and self.speech.stopped
        kept = self.speech.spoken().heard() if cut else None
        self._output.append(self._message.close("incomplete" if cut else status, kept))

    def _leases(self) -> list[str]:
        """Those of its work, beside its speech."""
        return []

    def _written(self) -> str:
        """What its usage is reckoned from where nobody has counted."""
        return self.text

    def _timing(self) -> out.TurnTiming:
        return self.marks.timing()

    def _finish(
        self, status: Status, *, reason: str | None = None, error: tuple[str, str, str] | None = None
    ) -> None:
        self.status = status
        self.usage = self.count.total(written=self._written(), spoken_us=self.speech.playback.sent_us)
        if status != "completed" and status != "in_progress":
            detail = out.StatusError(*error) if error else None
            self._details = out.StatusDetails(status, reason, detail)
        self._ctx.send(out.ResponseDone(self._snapshot()))
        trace = self._ctx.trace_of(self.id)
        self._ctx.forget(self.id)
        timing = self._timing()
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
