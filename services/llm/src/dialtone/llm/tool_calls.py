"""Tool calls put together from the parts that servers stream.

A call is handed on when it is whole: nobody can run half of one, and only then is it known whether its
arguments are JSON.
"""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dialtone.bus import WorkError
from dialtone.llm.chunks import ToolCallPart
from dialtone.v1.turn_pb2 import LlmTurn, ToolCallDelta

_BROKEN = "bad_tool_call"


@dataclass(frozen=True, slots=True)
class ToolCall:
    call_id: str
    name: str
    arguments: str
    """The text of a JSON object."""


def new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


def bad_tool_call(message: str) -> WorkError:
    """Return the failure of a model that called a tool in words no client can read; another try may work."""
    return WorkError(_BROKEN, message, retryable=True)


def call_deltas(calls: Sequence[ToolCall], turn: LlmTurn) -> list[ToolCallDelta]:
    """Return what tells the gateway of these calls. An id that the conversation knows already gets another:
    some servers count their calls from 0 in every turn, and results go by the id."""
    seen = {call.call_id for message in turn.messages for call in message.tool_calls}
    deltas: list[ToolCallDelta] = []
    for index, call in enumerate(calls):
        call_id = call.call_id if call.call_id and call.call_id not in seen else new_call_id()
        seen.add(call_id)
        deltas.append(ToolCallDelta(index=index, call_id=call_id, name=call.name, arguments=call.arguments))
    return deltas


def object_text(text: str) -> str:
    """Return the text of the JSON object that `text` means; ValueError where it means none.

    Repaired is what can mean one thing only: nothing or null is no arguments; a JSON string that holds the
    object is that object; line breaks and tabs stand unescaped in strings.
    """
    stripped = text.strip()
    if stripped in ("", "null"):
        return "{}"
    try:
        value: Any = msgspec.json.decode(stripped.encode())
    except (ValueError, UnicodeEncodeError):
        value = json.loads(stripped, strict=False, parse_constant=_no_number)
        if isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return stripped
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return object_text(value)
    raise ValueError("no JSON object")


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


@dataclass(slots=True)
class _Partial:
    index: int | None  # the server's
    call_id: str
    name: str = ""
    arguments: str = ""

    def is_whole(self) -> bool:
        try:
            return bool(self.arguments) and bool(object_text(self.arguments))
        except ValueError:
            return False


class ToolCallAssembler:
    """Puts the parts of one answer's calls together.

    A part belongs to the call of its index, or else of its id, or else to the last one. It opens a call of
    its own where it cannot belong to that: it names a tool, and its id is another (servers that give
    every call index 0), or without ids its name is another or the call there is whole already.
    """

    def __init__(self) -> None:
        self._calls: list[_Partial] = []

    def feed(self, parts: Iterable[ToolCallPart]) -> None:
        for part in parts:
            call = self._call_of(part)
            call.call_id = call.call_id or part.id or ""
            function = part.function
            if function is None:
                continue
            call.name = call.name or function.name or ""
            if isinstance(function.arguments, dict):
                call.arguments += json.dumps(function.arguments, ensure_ascii=False)
            else:
                call.arguments += function.arguments or ""

    def calls(self, *, cut: bool) -> list[ToolCall]:
        """Return the calls in the order in which they began. WorkError("bad_tool_call") for one that has no
        name or whose arguments are no JSON object; of an answer that was `cut`, they are left out."""
        whole: list[ToolCall] = []
        for number, call in enumerate(self._calls):
            last = number == len(self._calls) - 1
            if not call.name and not call.arguments:
                continue
            if cut and last and not call.arguments:
                continue  # they were still to come
            try:
                if not call.name:
                    raise bad_tool_call("the model called a tool without a name")
                arguments = object_text(call.arguments)
            except (ValueError, WorkError) as error:
                if cut:
                    continue
                if isinstance(error, WorkError):
                    raise
                message = f"the model called {call.name[:64]} with arguments that are no JSON object"
                raise bad_tool_call(message) from error
            whole.append(ToolCall(call.call_id, call.name, arguments))
        return whole

    def _call_of(self, part: ToolCallPart) -> _Partial:
        call = self._belonging(part)
        if call is None or _opens_another(part, call):
            call = _Partial(index=part.index, call_id=part.id or "")
            self._calls.append(call)
        return call

    def _belonging(self, part: ToolCallPart) -> _Partial | None:
        if part.index is not None:
            same = next((call for call in reversed(self._calls) if call.index == part.index), None)
            if same is None and 0 <= part.index < len(self._calls) and self._calls[part.index].index is None:
                return self._calls[part.index]  # the part that opened it had no index
            return same
        if part.id:
            same = next((call for call in self._calls if call.call_id == part.id), None)
            if same is not None:
                return same
        return self._calls[-1] if self._calls else None


def _opens_another(part: ToolCallPart, call: _Partial) -> bool:
    name = part.function.name if part.function else None
    if not name or not call.name:
        return False
    if part.id and call.call_id:
        return part.id != call.call_id
    return name != call.name or bool(part.function and part.function.arguments and call.is_whole())
