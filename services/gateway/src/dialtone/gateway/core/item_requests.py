"""A client's requests about items of the conversation."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from . import client_events as ask
from . import server_events as out
from .context import Context
from .conversation import size_of
from .effects import PutItem, RemoveItem
from .item_audio import ItemAudio
from .item_recordings import ItemRecordings
from .items import FunctionCallItem, FunctionCallOutputItem, Item, MessageItem, OutputAudio
from .response import Speech
from .spoken_text import SpokenText

# Answers whose sound is remembered, so that a truncation in ms can be turned into one of text.
SPEECHES_KEPT = 64


class ItemRequests:
    def __init__(self, context: Context, audio: ItemAudio, recordings: ItemRecordings) -> None:
        self._ctx = context
        self._audio = audio
        self._recordings = recordings
        self._speeches: OrderedDict[str, SpokenText] = OrderedDict()

    def remember_speech(self, item_id: str, spoken: SpokenText) -> None:
        """Keep how an answer's text and sound go together."""
        self._speeches[item_id] = spoken
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
        limits = ctx.limits
        full = len(conversation) >= limits.conversation_items
        if full or conversation.size + size_of(item) > limits.conversation_bytes:
            ctx.error(
                "conversation_too_large",
                f"A conversation holds at most {limits.conversation_items} items and "
                f"{limits.conversation_bytes} bytes of text and images; delete some of its items first.",
                param="item",
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
        refusal = self._recordings.refusal(event)
        if refusal is not None:
            ctx.error(refusal.code, refusal.message, param=refusal.param, event_id=event.event_id)
            return
        if not item.id:
            item = msgspec.structs.replace(item, id=ctx.new_id("item"))
        conversation.insert(item, after)
        ctx.send(out.ItemAdded(item, after))
        ctx.emit(PutItem(item, after))
        ctx.send(out.ItemDone(item, after))
        if isinstance(item, MessageItem):
            self._recordings.begin(item, event.recordings)

    def _has_call(self, call_id: str) -> bool:
        return any(isinstance(i, FunctionCallItem) and i.call_id == call_id for i in self._ctx.conversation)

    def retrieve(self, event: ask.RetrieveItem) -> None:
        item = self._ctx.conversation.get(event.item_id)
        if item is None:
            self._unknown("retrieve", event.item_id, event.event_id)
            return
        audio = self._audio.get(item.id, self._ctx.config.audio.input.format)
        self._ctx.send(out.ItemRetrieved(item, audio))

    def delete(self, event: ask.DeleteItem) -> None:
        if event.item_id not in self._ctx.conversation:
            self._unknown("delete", event.item_id, event.event_id)
            return
        self._ctx.conversation.remove(event.item_id)
        self._speeches.pop(event.item_id, None)
        self._audio.forget(event.item_id)
        self._recordings.forget(event.item_id)
        self._ctx.emit(RemoveItem(event.item_id))
        self._ctx.send(out.ItemDeleted(event.item_id))

    def truncate(self, event: ask.TruncateItem, speaking: Speech | None) -> bool:
        """Cut an answer to what was heard, at once or, while it is `speaking`, when it is over.

        A point past the end is the end, for clients round up; the answer tells where that is. False,
        after an error, if there is no such sound.
        """
        ctx = self._ctx
        item = ctx.conversation.get(event.item_id)
        if item is None:
            self._unknown("truncate", event.item_id, event.event_id)
            return False
        if speaking is None and not has_sound(item):
            ctx.error(
                "unsupported_content_type",
                "Only model output audio messages can be truncated.",
                param="item_id",
                event_id=event.event_id,
            )
            return False
        if event.content_index != 0:
            ctx.error(
                "invalid_value",
                f"Item '{event.item_id}' has no content at index {event.content_index}; its audio is at 0.",
                param="content_index",
                event_id=event.event_id,
            )
            return False
        heard_us = event.audio_end_ms * 1000
        if speaking is not None:
            ctx.cancel(speaking.stop(heard_us))
            ends_us = speaking.spoken().ends_us
        else:
            ends_us = self._cut(event.item_id, heard_us)
        ctx.send(out.ItemTruncated(event.item_id, 0, _ms(ends_us)))
        return True

    def interrupt(self, item_id: str, heard_us: int) -> bool:
        """The user speaks over what is left of an answer that was sent to its end: cut it, and tell
        the client, who was told otherwise. False if there is nothing left of it."""
        spoken = self._speeches.get(item_id)
        if spoken is None or heard_us >= spoken.ends_us:
            return False
        ends_us = self._cut(item_id, heard_us)
        self._ctx.send(out.ItemTruncated(item_id, 0, _ms(ends_us)))
        return True

    def _cut(self, item_id: str, heard_us: int) -> int:
        """Leave of an answer's text what this much of its sound says; never more than before. Returns
        where its sound ends."""
        ctx, known = self._ctx, self._speeches.get(item_id)
        item = ctx.conversation.get(item_id)
        assert isinstance(item, MessageItem)
        now = "".join(part.transcript for part in item.content if isinstance(part, OutputAudio))
        spoken = (known or SpokenText.reckoned(now)).cut(heard_us)
        if known is not None and spoken.ends_us == known.ends_us:
            return known.ends_us
        kept = spoken.heard()
        if len(kept) < len(now):
            item = msgspec.structs.replace(item, content=[OutputAudio(kept)])
            ctx.conversation.replace(item)
            ctx.emit(PutItem(item, ctx.conversation.previous_id(item_id)))
        if known is None:
            return heard_us  # what is reckoned is not told as if it were known
        self._speeches[item_id] = spoken
        return spoken.ends_us

    def _unknown(self, verb: str, item_id: str, event_id: str | None) -> None:
        self._ctx.error(
            f"item_{verb}_invalid_item_id",
            f"Item with id '{item_id}' not found.",
            param="item_id",
            event_id=event_id,
        )


def has_sound(item: Item) -> bool:
    """Whether it is an answer that was spoken."""
    return (
        isinstance(item, MessageItem)
        and item.role == "assistant"
        and any(isinstance(part, OutputAudio) for part in item.content)
    )


def _ms(us: int) -> int:
    """Whole milliseconds; a part of one counts, as it does for clients."""
    return -(-us // 1000)
