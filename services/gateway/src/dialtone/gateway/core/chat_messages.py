"""A conversation's items as the messages of a chat API, in an order that such APIs take."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from dialtone.v1.turn_pb2 import Image, Message, ToolCall

from .items import FunctionCallItem, FunctionCallOutputItem, InputImage, Item, MessageItem

ROLES = {"system": Message.ROLE_SYSTEM, "user": Message.ROLE_USER, "assistant": Message.ROLE_ASSISTANT}
# Chat APIs refuse a call without a result, and a client may take its time, or never answer.
NO_RESULT = "No result yet."


def text_of(item: MessageItem) -> str:
    """The words of a message, spoken or written."""
    parts = []
    for part in item.content:
        if isinstance(part, InputImage):
            continue
        text = part.transcript if hasattr(part, "transcript") else part.text
        if text:
            parts.append(text)
    return " ".join(parts)


def messages_of(items: Iterable[Item]) -> list[Message]:
    """The conversation as chat messages.

    An item without words (nothing understood, nothing heard) is left out. A tool call stands where its
    result came, right before it, for the model may have talked about other things meanwhile; without a
    result it stands where it was made, and the model is told that there is none yet. Calls made
    together are one message. A second call of one id, a result of no call, and all results of a call but
    the last have no place in a chat, and are left out.
    """
    items = list(items)
    called: dict[str, int] = {}
    answered: dict[str, int] = {}
    for at, item in enumerate(items):
        if isinstance(item, FunctionCallItem):
            called.setdefault(item.call_id, at)
        elif isinstance(item, FunctionCallOutputItem):
            answered[item.call_id] = at
    calls_at: dict[int, int] = {  # where a call is to stand, and where it was made
        max(made_at, answered.get(call_id, made_at)): made_at for call_id, made_at in called.items()
    }
    messages: list[Message] = []
    group = _Calls(messages)
    for at, item in enumerate(items):
        if isinstance(item, MessageItem):
            images = [_image(part) for part in item.content if isinstance(part, InputImage)]
            text = text_of(item)
            if text or images:
                group.close()
                messages.append(Message(role=ROLES[item.role], text=text, images=images))
        elif at in calls_at:
            call = items[calls_at[at]]
            assert isinstance(call, FunctionCallItem)
            result = items[answered[call.call_id]] if call.call_id in answered else None
            output = result.output if isinstance(result, FunctionCallOutputItem) else NO_RESULT
            group.add(call, output, made_at=calls_at[at], result_at=at if result else None)
    group.close()
    return messages


def _image(part: InputImage) -> Image:
    return Image(url=part.image_url, detail="" if part.detail == "auto" else part.detail)


class _Calls:
    """Calls that were made together: one message, and then their results."""

    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages
        self._results: list[Message] = []
        self._result_at = math.inf  # where the first result came

    def add(self, call: FunctionCallItem, output: str, *, made_at: int, result_at: int | None) -> None:
        if made_at > self._result_at:
            self.close()  # the model made it knowing the results of the others
        if result_at is not None:
            self._result_at = min(self._result_at, result_at)
        if not self._results:
            last = self._messages[-1] if self._messages else None
            if last is None or last.role != Message.ROLE_ASSISTANT:
                self._messages.append(Message(role=Message.ROLE_ASSISTANT))
        self._messages[-1].tool_calls.append(
            ToolCall(call_id=call.call_id, name=call.name, arguments=_json_text(call.arguments))
        )
        self._results.append(Message(role=Message.ROLE_TOOL, text=output, tool_call_id=call.call_id))

    def close(self) -> None:
        self._messages += self._results
        self._results, self._result_at = [], math.inf


def _json_text(arguments: str) -> str:
    """A client can put any text into a call that it brings; models' servers want JSON."""
    try:
        msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode({"arguments": arguments}).decode() if arguments else "{}"
    return arguments
