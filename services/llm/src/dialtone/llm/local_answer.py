"""What a small model answers, and what to ask it next where that is of no use."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from dialtone.llm.answer import AnswerReader
from dialtone.llm.tool_calls import ToolCall, object_text
from dialtone.llm.wire import chosen_tools, offered_tools, wire_tools
from dialtone.llm.written_calls import WrittenCalls
from dialtone.v1.turn_pb2 import LlmTurn, Message

_PROSE = r"[^{}<>\x60]*"
_PROSE_BEGINS = r"[^{}<>\x60\[\x00-\x20]"


class LocalAnswer:
    """One answer to a turn. Small models call tools that do not exist, call again what has been answered, and
    write JSON that is none: `again` is the turn to ask then, which leaves no room for it."""

    def __init__(self, turn: LlmTurn) -> None:
        tools = [tool.name for tool in offered_tools(turn)]
        self._turn = turn
        self._written = WrittenCalls(tools, bare=True)
        self._single = turn.HasField("parallel_tool_calls") and not turn.parallel_tool_calls
        self._answered: Collection[str] = (
            () if tools and chosen_tools(turn) else _calls_since_asked(turn.messages)
        )
        self.reader = AnswerReader([self._written] if tools else [])
        self.spoke = False

    def enough(self) -> bool:
        """Whether the model may be stopped."""
        return self._written.finished or (self._single and bool(self._written.calls))

    def calls(self) -> list[ToolCall]:
        """Return the calls to be made. WorkError("bad_tool_call")."""
        said = [*self.reader.calls(), *self._written.calls]
        new = [call for call in said if _key(call.name, call.arguments) not in self._answered]
        return new[:1] if self._single else new

    def again(self) -> LlmTurn | None:
        """Return what to ask where a call was meant but none can be made: for a call of the tool that can be
        made out, or else, unless something was said already, for an answer without tools."""
        if self.calls() or self.reader.cut:
            return None
        turn = LlmTurn()
        turn.CopyFrom(self._turn)
        if meant := self._written.meant:
            turn.tool_choice = f"function:{meant}"
            return turn
        called = self._written.broken or self._written.unknown or self._written.calls or self.reader.calls()
        if not called or self.spoke:
            return None
        turn.tool_choice = "none"
        return turn


def constraint(turn: LlmTurn, *, continues: bool) -> dict[str, Any]:
    """Return the members of a request that hold a small model to the turn's `tool_choice`.

    Asked for by that alone, it just talks; and it imitates the calls that it finds in the conversation. What
    `continues` an answer may begin with a space.
    """
    if offered_tools(turn):
        tools = wire_tools(chosen_tools(turn))
        if not tools:
            return {}
        calls = [
            {
                "type": "object",
                "properties": {"name": {"const": function["name"]}, "arguments": function["parameters"]},
                "required": ["name", "arguments"],
            }
            for function in (tool["function"] for tool in tools)
        ]
        schema = {"type": "json_schema", "json_schema": {"schema": {"anyOf": calls}}}
        return {"tool_choice": "auto", "response_format": schema}
    if turn.tools or any(message.tool_calls for message in turn.messages):
        return {"grammar": f"root ::= {'' if continues else _PROSE_BEGINS} {_PROSE}"}
    return {}


def _calls_since_asked(messages: Sequence[Message]) -> set[str]:
    """Return the calls that the model has made since somebody last spoke to it."""
    calls: set[str] = set()
    for message in messages:
        if message.role == Message.ROLE_USER:
            calls.clear()
        calls |= {_key(call.name, call.arguments) for call in message.tool_calls}
    return calls


def _key(name: str, arguments: str) -> str:
    try:
        return json.dumps([name, json.loads(object_text(arguments))], sort_keys=True)
    except ValueError:
        return json.dumps([name, arguments])
