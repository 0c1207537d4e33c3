"""What a response answers: the conversation, or items of its own."""

from __future__ import annotations

from dataclasses import dataclass

from .conversation import Conversation
from .field_rules import FieldError
from .items import FunctionCallItem, FunctionCallOutputItem, Item, ItemReference, MessageItem


@dataclass(frozen=True, slots=True)
class ResponseInput:
    """`items` None is the conversation. `referenced` are those of its items that `items` has by
    reference: they count as they are when the model is asked, for their words may still be to come."""

    items: list[Item] | None = None
    referenced: frozenset[str] = frozenset()

    @property
    def of_conversation(self) -> bool:
        """Whether anything of it is in the conversation."""
        return self.items is None or bool(self.referenced)

    def now(self, conversation: Conversation) -> list[Item]:
        """The items; a referenced one that was deleted meanwhile is as it was."""
        if self.items is None:
            return list(conversation)
        return [
            conversation.get(item.id) or item if item.id in self.referenced else item for item in self.items
        ]


def read_input(
    given: list[Item | ItemReference] | None, conversation: Conversation
) -> ResponseInput | FieldError:
    """Look up what a client refers to. A result of a tool brings its call along from the conversation
    if the input has not got it; one of no call, and an unknown item, are the client's mistake."""
    if given is None:
        return ResponseInput()
    items: list[Item] = []
    referenced: set[str] = set()
    for index, item in enumerate(given):
        if isinstance(item, ItemReference):
            known = conversation.get(item.id)
            if known is None:
                param = f"response.input[{index}].id"
                return FieldError(param, "invalid_value", f"Item with id '{item.id}' not found.")
            referenced.add(item.id)
            item = known
        if isinstance(item, FunctionCallOutputItem):
            call = _call(item.call_id, items) or _call(item.call_id, conversation)
            if call is None:
                param = f"response.input[{index}].call_id"
                text = f"Tool call ID '{item.call_id}' not found in conversation."
                return FieldError(param, "invalid_tool_call_id", text)
            if call not in items:
                items.append(call)
        items.append(item)
    return ResponseInput(items, frozenset(referenced))


def asked_last(items: list[Item], item_id: str) -> list[Item]:
    """The items, with the one that is answered after any answer that was begun before it was said, and
    stands behind it."""
    at = next((at for at, item in enumerate(items) if item.id == item_id), len(items))
    if not any(isinstance(item, MessageItem) and item.role == "assistant" for item in items[at:]):
        return items
    return [*items[:at], *items[at + 1 :], items[at]]


def _call(call_id: str, items: list[Item] | Conversation) -> Item | None:
    return next((i for i in items if isinstance(i, FunctionCallItem) and i.call_id == call_id), None)
