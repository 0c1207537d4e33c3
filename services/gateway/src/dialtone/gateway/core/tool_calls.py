"""Tool calls of a response: collected while they come, told to the client when they are whole."""

from __future__ import annotations

from dataclasses import dataclass

from dialtone.v1.turn_pb2 import ToolCallDelta

from . import server_events as out
from .context import Context
from .effects import PutItem
from .items import FunctionCallItem


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

    def __len__(self) -> int:
        return len(self._calls)

    def forget(self) -> None:
        self._calls.clear()

    def add(self, delta: ToolCallDelta) -> None:
        call = self._calls.setdefault(delta.index, PartialCall())
        call.call_id = delta.call_id or call.call_id
        call.name = delta.name or call.name
        call.arguments += delta.arguments

    def send(
        self, ctx: Context, *, response_id: str, first_index: int, conversational: bool
    ) -> list[FunctionCallItem]:
        """Send each call as an output item of its own, in the model's order."""
        items = []
        for position, (_, call) in enumerate(sorted(self._calls.items())):
            index = first_index + position
            item_id, call_id = ctx.new_id("item"), call.call_id or ctx.new_id("call")
            arguments = call.arguments or "{}"
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
                ctx.send(out.ItemDone(item, previous))
                ctx.emit(PutItem(item, previous))
            ctx.send(out.OutputItemDone(response_id, index, item))
            items.append(item)
        return items
