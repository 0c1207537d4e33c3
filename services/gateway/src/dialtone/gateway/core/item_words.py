"""The words of the user's audio: into its item, and to the client."""

from __future__ import annotations

import msgspec

from . import server_events as out
from .context import Context
from .items import InputAudio, Item, MessageItem


def with_words(item: Item | None, index: int, text: str) -> MessageItem | None:
    """The item with the words of its part; None if that is not, or no longer, one that waits for them."""
    if not isinstance(item, MessageItem) or item.content[index : index + 1] != [InputAudio()]:
        return None
    content = [*item.content[:index], InputAudio(text), *item.content[index + 1 :]]
    return msgspec.structs.replace(item, content=content)


def tell_words(ctx: Context, item_id: str, index: int, text: str, rest: str, duration_us: int) -> None:
    """Tell a client that wants transcripts; `rest` is what it was not told yet."""
    if ctx.config.transcription is None:
        return
    if rest:
        ctx.send(out.TranscriptionDelta(item_id, index, rest))
    usage = out.DurationUsage(round(duration_us / 1e6, 3))
    ctx.send(out.TranscriptionCompleted(item_id, index, text, usage))


def tell_failure(ctx: Context, item_id: str, index: int, code: str, message: str) -> None:
    """Tell a client that there will be no words."""
    if ctx.config.transcription is None:
        ctx.error(code, message, type="server_error")
    else:
        failure = out.TranscriptionError("server_error", code, message)
        ctx.send(out.TranscriptionFailed(item_id, index, failure))
