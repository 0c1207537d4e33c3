"""A client's requests about items of the conversation."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from . import client_events as ask
from . import server_events as out
from .context import Context
from .effects import PutItem, RemoveItem
from .items import FunctionCallItem, FunctionCallOutputItem, MessageItem, OutputAudio
from .speech_queue import SpeechQueue

# Answers whose sound is remembered, so that a truncation in ms can be turned into one of text.
SPEECHES_KEPT = 16


class ItemRequests:
    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._speeches: OrderedDict[str, tuple[SpeechQueue, str]] = OrderedDict()

    def remember_speech(self, item_id: str, speech: SpeechQueue, text: str) -> None:
        """Keep how an answer's text and sound go together; `text` is all of it."""
        self._speeches[item_id] = (speech, text)
        while len(self._speeches) > SPEECHES_KEPT:
            self._speeches.popitem(last=False)

    def create(self, event: ask.CreateItem) -> None:
        ctx, item = self._ctx, event.item
        conversation = ctx.conversation
        if item.id and item.id in conversation:
            ctx.error(
                "item_create_duplicate_item_id",
                f"Item with id '{item.id}' exists already.",
                param="item.id",
                event_id=event.event_id,
            )
            return
        if isinstance(item, FunctionCallOutputItem) and not self._has_call(item.call_id):
            ctx.error(
                "invalid_tool_call_id",
                f"Tool call ID '{item.call_id}' not found in conversation.",
                param="item.call_id",
                event_id=event.event_id,
            )
            return
        after = event.previous_item_id
        if after is None:
            after = conversation.last_id
        elif after == "root":
            after = None
        elif after not in conversation:
            ctx.error(
                "item_create_invalid_previous_item_id",
                f"Item with id '{after}' not found.",
                param="previous_item_id",
                event_id=event.event_id,
            )
            return
        if not item.id:
            item = msgspec.structs.replace(item, id=ctx.new_id("item"))
        conversation.insert(item, after)
        ctx.send(out.ItemAdded(item, after))
        ctx.send(out.ItemDone(item, after))
        ctx.emit(PutItem(item, after))

    def _has_call(self, call_id: str) -> bool:
        return any(isinstance(i, FunctionCallItem) and i.call_id == call_id for i in self._ctx.conversation)

    def retrieve(self, event: ask.RetrieveItem) -> None:
        item = self._ctx.conversation.get(event.item_id)
        if item is None:
            self._unknown("retrieve", event.item_id, event.event_id)
            return
        self._ctx.send(out.ItemRetrieved(item))

    def delete(self, event: ask.DeleteItem) -> None:
        if event.item_id not in self._ctx.conversation:
            self._unknown("delete", event.item_id, event.event_id)
            return
        self._ctx.conversation.remove(event.item_id)
        self._speeches.pop(event.item_id, None)
        self._ctx.send(out.ItemDeleted(event.item_id))
        self._ctx.emit(RemoveItem(event.item_id))

    def truncate(self, event: ask.TruncateItem) -> None:
        """Cut an answer to what was heard. A point past the end is the end: clients round up."""
        ctx = self._ctx
        item = ctx.conversation.get(event.item_id)
        if item is None:
            self._unknown("truncate", event.item_id, event.event_id)
            return
        if not (isinstance(item, MessageItem) and item.role == "assistant"):
            ctx.error(
                "unsupported_content_type",
                "Only model output audio messages can be truncated.",
                param="item_id",
                event_id=event.event_id,
            )
            return
        self.cut(event.item_id, event.audio_end_ms * 1000)
        ctx.send(out.ItemTruncated(event.item_id, event.content_index, event.audio_end_ms))

    def cut(self, item_id: str, heard_us: int) -> None:
        """Leave of a finished answer's text what `heard_us` of its sound says; never more than before."""
        ctx = self._ctx
        item, known = ctx.conversation.get(item_id), self._speeches.get(item_id)
        if known is None or not isinstance(item, MessageItem):
            return
        speech, text = known
        if heard_us >= speech.playback.sent_us:
            return
        kept = speech.text_until(heard_us)
        now = "".join(part.transcript for part in item.content if isinstance(part, OutputAudio))
        if not text.startswith(kept) or len(kept) >= len(now):
            return
        item = msgspec.structs.replace(item, content=[OutputAudio(kept)])
        ctx.conversation.replace(item)
        ctx.emit(PutItem(item, ctx.conversation.previous_id(item_id)))

    def _unknown(self, verb: str, item_id: str, event_id: str | None) -> None:
        self._ctx.error(
            f"item_{verb}_invalid_item_id",
            f"Item with id '{item_id}' not found.",
            param="item_id",
            event_id=event_id,
        )
