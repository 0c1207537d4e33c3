"""A response that is one of Moshi's utterances: from when it begins to speak until it has spoken."""

from __future__ import annotations

from dialtone.v1.common_pb2 import Usage
from dialtone.v1.moshi_pb2 import SayingAudio, SayingStopped

from . import server_events as out
from .client_events import ResponseOptions
from .context import Context
from .input_turns import InputTurns
from .response import Response, Status
from .saying_speech import SayingSpeech
from .sentences import SentenceSplitter, is_speakable
from .session import AudioFormat
from .timing import TurnMarks
from .usage import reckoned


class Saying(Response):
    speech: SayingSpeech

    def __init__(
        self,
        context: Context,
        turns: InputTurns,
        *,
        number: int,
        output_format: AudioFormat,
        busy_until: float,
        after: float,
    ) -> None:
        """`after`: when the utterance before it was first heard."""
        self.speech = SayingSpeech(busy_until=busy_until)
        self.number = number
        self._turns = turns
        self._after = after
        self._stopped: SayingStopped | None = None
        self._splitter = SentenceSplitter()
        self._sentences = 0
        self._sounds = False  # since the last sentence
        super().__init__(
            context,
            ResponseOptions(output_format=output_format),
            response_id=context.new_id("resp"),
            marks=TurnMarks(),
            user_item_id=None,
        )

    def open(self) -> None:
        """Begin its item: it is admitted."""
        self._open_message()

    @property
    def _silent(self) -> bool:
        """Nobody is to hear or read what follows."""
        return self.over or self.speech.stopped

    def sound(self, chunk: SayingAudio) -> None:
        if self._silent or not chunk.audio:
            return
        self.speech.sound(chunk.duration_us, self._ctx.now)
        self._sounds = True
        self.spoken_audio(chunk.audio)

    def write(self, text: str) -> None:
        text = text if self.text else text.lstrip()
        if self._silent or not text or self._message is None:
            return
        self.text += text
        self.speech.write(text)
        self._message.write(text)
        for piece in self._splitter.feed(text):
            self._sentence(piece)

    def _sentence(self, text: str) -> None:
        """One is over, or the utterance is: there is nothing to be heard that belongs to none."""
        if not (is_speakable(text) or self._sounds):
            return
        self.sentence_spoken(self._sentences, text)
        self._sentences += 1
        self._sounds = False

    def stopped(self, event: SayingStopped) -> None:
        """It has been said."""
        self._stopped = event
        self.count.told(Usage(output_tokens=event.text_tokens or reckoned(self.text)))
        self.settle()

    def settle(self) -> None:
        if self.over or self._stopped is None:
            return
        self.speech.whole = True
        if not self.speech.stopped:
            rest = self._splitter.flush()
            for piece in rest or [""]:
                self._sentence(piece)
        self._close_message("completed")
        self._finish("completed")

    # --- how it is counted ---

    def _written(self) -> str:
        return ""  # Moshi counts its own

    def _finish(
        self, status: Status, *, reason: str | None = None, error: tuple[str, str, str] | None = None
    ) -> None:
        if self._stopped is None:
            self.count.told(Usage(output_tokens=reckoned(self.text)))
        self._find_question()
        super()._finish(status, reason=reason, error=error)

    def _find_question(self) -> None:
        """What the user said last before it began, if this is the first to be heard since then."""
        last, first = self._turns.last_ended, self.marks.first_audio
        if last is None or first is None or last.marks.speech_end is None:
            return
        if self._after <= last.marks.speech_end <= first:
            self.user_item_id = last.item_id
            self.marks.speech_end = last.marks.speech_end

    def _timing(self) -> out.TurnTiming:
        """From the end of the user's speech to the first sound, where both are known: there are no stages."""
        return out.TurnTiming(total_ms=self.marks.timing().total_ms if self.user_item_id else None)
