"""The wire events of one assistant message, in the order that the protocol gives them."""

from __future__ import annotations

from . import server_events as out
from .context import Context
from .effects import PutItem
from .items import Content, MessageItem, OutputAudio, OutputText, Status


class MessageOutput:
    """One message item with one content part: its text, or the transcript of its audio."""

    def __init__(
        self, context: Context, *, response_id: str, output_index: int, audio: bool, conversational: bool
    ) -> None:
        self._ctx = context
        self._audio = audio
        self._conversational = conversational
        self.item_id = context.new_id("item")
        self.output_index = output_index
        self.response_id = response_id
        self.text = ""
        self.closed = False
        self._open()

    def _item(self, status: Status, content: list[Content]) -> MessageItem:
        return MessageItem(self.item_id, "assistant", content, status)

    def _at(self) -> tuple[str, str, int, int]:
        return self.response_id, self.item_id, self.output_index, 0

    def _part(self, text: str) -> out.TextPart | out.AudioPart:
        return out.AudioPart(text) if self._audio else out.TextPart(text)

    def _open(self) -> None:
        ctx, item = self._ctx, self._item("in_progress", [])
        ctx.send(out.OutputItemAdded(self.response_id, self.output_index, item))
        if self._conversational:
            previous = ctx.conversation.last_id
            ctx.conversation.append(item)
            ctx.send(out.ItemAdded(item, previous))
        ctx.send(out.ContentPartAdded(*self._at(), part=self._part("")))

    def write(self, delta: str) -> None:
        self.text += delta
        event = out.AudioTranscriptDelta if self._audio else out.OutputTextDelta
        self._ctx.send(event(*self._at(), delta=delta))

    def audio(self, chunk: bytes) -> None:
        if chunk:
            self._ctx.send(out.OutputAudioDelta(*self._at(), delta=chunk))

    def close(self, status: Status, kept_text: str | None = None) -> MessageItem:
        """End the message. The conversation keeps `kept_text` when not all of it was heard."""
        self.closed = True
        ctx = self._ctx
        if self._audio:
            ctx.send(out.OutputAudioDone(*self._at()))
            ctx.send(out.AudioTranscriptDone(*self._at(), transcript=self.text))
        else:
            ctx.send(out.OutputTextDone(*self._at(), text=self.text))
        ctx.send(out.ContentPartDone(*self._at(), part=self._part(self.text)))
        text = self.text if kept_text is None else kept_text
        content: Content = OutputAudio(text) if self._audio else OutputText(text)
        item = self._item(status, [content])
        present = ctx.conversation.get(self.item_id)
        # A client may have deleted it meanwhile, and have put an item of its own in its place.
        if self._conversational and present is not None and present.status == "in_progress":
            previous = ctx.conversation.previous_id(self.item_id)
            ctx.conversation.replace(item)
            ctx.emit(PutItem(item, previous))
            ctx.send(out.ItemDone(item, previous))
        ctx.send(out.OutputItemDone(self.response_id, self.output_index, item))
        return item
