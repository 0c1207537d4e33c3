"""An answer begun at a pause, before the user is known to have finished.

Nothing of it is sent or stored. The model's turn runs, and the first sentence is synthesised; what
the workers say is kept. When the turn ends with the words it was begun with, a response takes it all
over; when the user goes on, it is cancelled and has never been.
"""

from __future__ import annotations

from collections.abc import Callable

from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.speech_pb2 import Sentence
from dialtone.v1.turn_pb2 import LlmTurn

from .context import LLM, TTS, Context
from .lease_table import HeldLease
from .sentences import SentenceSplitter, is_speakable
from .usage import UsageCount


class Speculation:
    def __init__(
        self,
        context: Context,
        *,
        item_id: str,
        text: str,
        response_id: str,
        turn: LlmTurn,
        sentence_of: Callable[[str], Sentence] | None,
    ) -> None:
        """Begin answering the item that is to say `text`; `sentence_of` makes the work of the first
        sentence, if it is to be spoken."""
        self._ctx = context
        self._item_id = item_id
        self._text = text
        self.response_id = response_id
        self.count = UsageCount()
        self.count.asked = turn
        self.submitted_at = context.now
        self.lease_id = context.submit(LLM, turn=turn).id
        self.first_token_at: float | None = None
        self.piece = ""
        self.speech_lease_id = ""
        self.speech_submitted_at = 0.0
        self.kept: list[WorkerEvent] = []
        self._sentence_of = sentence_of
        self._splitter = SentenceSplitter()

    def lease_ids(self) -> list[str]:
        return [lease_id for lease_id in (self.lease_id, self.speech_lease_id) if lease_id]

    def owns(self, lease_id: str) -> bool:
        return lease_id in (self.lease_id, self.speech_lease_id)

    def answers(self, item_id: str, text: str) -> bool:
        """Whether this is what the item came to say."""
        return (item_id, text) == (self._item_id, self._text)

    def keep(self, lease: HeldLease, event: WorkerEvent) -> None:
        """Keep what a worker said; its first whole sentence goes to be spoken at once."""
        self.kept.append(event)
        body = event.WhichOneof("body")
        if body == "text" and event.text.text:
            if self.first_token_at is None:
                self.first_token_at = self._ctx.now
            self._look_for_sentence(self._splitter.feed(event.text.text))
        elif body == "turn_done":
            lease.finished = True
            self._look_for_sentence(self._splitter.flush())
        elif body == "sentence_done":
            lease.finished = True

    def _look_for_sentence(self, pieces: list[str]) -> None:
        if not pieces or self.piece or self._sentence_of is None or not is_speakable(pieces[0]):
            return
        self.piece = pieces[0]
        self.speech_submitted_at = self._ctx.now
        self.speech_lease_id = self._ctx.submit(TTS, sentence=self._sentence_of(self.piece)).id

    def model_restarted(self) -> None:
        """Another attempt takes the turn up: it goes on with the text, and calls tools of its own."""
        calls = (event.tool_call for event in self.kept if event.HasField("tool_call"))
        self.count.lost(self.delivered_text(), "".join(call.name + call.arguments for call in calls))
        self.kept = [event for event in self.kept if not event.HasField("tool_call")]

    def delivered_text(self) -> str:
        return "".join(event.text.text for event in self.kept if event.HasField("text"))

    def delivered_us(self) -> int:
        ends = [e.audio.start_us + e.audio.duration_us for e in self.kept if e.HasField("audio")]
        return max(ends, default=0)

    def cancel(self) -> None:
        self._ctx.cancel(self.lease_ids())
        self._ctx.forget(self.response_id)
