"""Tool calls of a response: collected while they come, told to the client when they are whole."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from dialtone.v1.turn_pb2 import ToolCallDelta

from . import server_events as out
from .context import Context
from .effects import PutItem
from .items import FunctionCallItem

# What the protocol allows a call's id to be.
_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(slots=True)
class PartialCall:
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class ToolCalls:
    """Nothing is sent before the model's turn is over: a turn that is taken up by another attempt
    may call other tools, and a client must not run the first attempt's."""

    def __init__(self) -> None:
        self._calls: dict[int, PartialCall] = {}
        self.written = ""  # all that the model wrote to make them, in vain too

    def forget(self) -> None:
        self._calls.clear()

    def add(self, delta: ToolCallDelta) -> None:
        call = self._calls.setdefault(delta.index, PartialCall())
        call.call_id = delta.call_id or call.call_id
        call.name = delta.name or call.name
        call.arguments += delta.arguments
        self.written += delta.name + delta.arguments

    def take_broken(self) -> list[str]:
        """Give up the calls whose arguments are not JSON, and return their names."""
        broken = {at: call for at, call in self._calls.items() if json_arguments(call.arguments) is None}
        for at in broken:
            del self._calls[at]
        return [call.name for call in broken.values()]

    def send(
        self, ctx: Context, *, response_id: str, first_index: int, conversational: bool
    ) -> list[FunctionCallItem]:
        """Send each call as an output item of its own, in the model's order."""
        items = []
        used = {item.call_id for item in ctx.conversation if isinstance(item, FunctionCallItem)}
        for position, (_, call) in enumerate(sorted(self._calls.items())):
            index = first_index + position
            item_id, call_id = ctx.new_id("item"), _call_id(ctx, call.call_id, used)
            used.add(call_id)
            arguments = json_arguments(call.arguments) or "{}"
            added = FunctionCallItem(item_id, call_id, call.name, "", "in_progress")
            ctx.send(out.OutputItemAdded(response_id, index, added))
            previous = ctx.conversation.last_id
            if conversational:
                ctx.conversation.append(added)
                ctx.send(out.ItemAdded(added, previous))
            ctx.send(out.FunctionArgumentsDelta(response_id, item_id, index, call_id, arguments))
            ctx.send(out.FunctionArgumentsDone(response_id, item_id, index, call_id, call.name, arguments))
            item = FunctionCallItem(item_id, call_id, call.name, arguments)
            if conversational:
                ctx.conversation.replace(item)
                ctx.emit(PutItem(item, previous))
                ctx.send(out.ItemDone(item, previous))
            ctx.send(out.OutputItemDone(response_id, index, item))
            items.append(item)
        return items


def _call_id(ctx: Context, given: str, used: Collection[str]) -> str:
    """The model's id if the protocol has it and no other call does: some models count from 0 each turn."""
    return given if _CALL_ID.fullmatch(given) and given not in used else ctx.new_id("call")


def json_arguments(text: str) -> str | None:
    """The arguments of a call as JSON text; None if the model wrote something else.

    No arguments are an empty object. Small models wrap the object into a string once more.
    """
    text = text.strip()
    try:
        value = msgspec.json.decode(text or "{}")
        if isinstance(value, str):
            text, value = value, msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None
    return text if text and value is not None else "{}"
