"""Tool calls: put together from streamed parts, or found in the text of models that just write them."""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dialtone.llm.chunks import ToolCallPart
from dialtone.v1.turn_pb2 import ToolCallDelta


def new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


@dataclass(slots=True)
class _Call:
    number: int  # ours, without gaps
    index: int | None  # the server's
    call_id: str
    name: str = ""
    held: str = ""  # arguments that came before the name
    arguments: int = 0  # characters sent


class ToolCallAssembler:
    """Turns a server's parts into ToolCallDeltas with numbers of our own.

    A part belongs to the call of its index, except that a new id on a used index opens a new call; one
    without index to the call of its id, or else to the last. Ids and names said twice are taken once.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._numbered = 0

    @property
    def any(self) -> bool:
        return self._numbered > 0

    def feed(self, parts: Iterable[ToolCallPart]) -> list[ToolCallDelta]:
        deltas: list[ToolCallDelta] = []
        for part in parts:
            call = self._call_of(part)
            function = part.function
            arguments = function.arguments if function and function.arguments else ""
            if isinstance(arguments, dict):
                arguments = json.dumps(arguments, ensure_ascii=False)
            if function and function.name and not call.name:
                call.name = function.name
                call.number = self._numbered
                self._numbered += 1
                arguments = call.held + arguments
                deltas.append(ToolCallDelta(index=call.number, call_id=call.call_id, name=call.name))
            if not call.name:
                call.held += arguments
            elif arguments:
                call.arguments += len(arguments)
                deltas.append(ToolCallDelta(index=call.number, arguments=arguments))
        return deltas

    def finish(self) -> list[ToolCallDelta]:
        """Return what completes every call; one that never got a name is none."""
        named = [call for call in self._calls if call.name]
        self._calls.clear()
        return [
            ToolCallDelta(index=call.number, arguments="" if call.arguments else "{}", done=True)
            for call in named
        ]

    def _call_of(self, part: ToolCallPart) -> _Call:
        if part.index is not None:
            same = next((call for call in reversed(self._calls) if call.index == part.index), None)
            if same and (not part.id or part.id == same.call_id):
                return same
        elif part.id:
            same = next((call for call in self._calls if call.call_id == part.id), None)
            if same:
                return same
        elif self._calls:
            return self._calls[-1]
        call = _Call(number=-1, index=part.index, call_id=part.id or new_call_id())
        self._calls.append(call)
        return call


@dataclass(frozen=True, slots=True)
class WrittenCall:
    name: str
    arguments: str  # JSON text


class WrittenCalls:
    """Finds tool calls that a small model writes as its answer: JSON, bare or in `<tool_call>` tags or a
    fence.

    An answer that begins like that is held back to its end; any other passes unchanged.
    """

    _OPENINGS = ("<tool_call>", "```", "{", "[")
    _WRAPPING = ("<tool_call>", "</tool_call>", "<tools>", "</tools>", "```json", "```")

    def __init__(self, tools: Sequence[str]) -> None:
        self._tools = frozenset(tools)
        self._held = ""
        self._holding: bool | None = None
        self.calls: list[WrittenCall] = []
        self.unknown = 0
        """Calls of tools that do not exist."""

    def feed(self, text: str) -> str:
        if self._holding is False:
            return text
        self._held += text
        start = self._held.lstrip()
        if self._holding is None and start:
            if any(start.startswith(opening) for opening in self._OPENINGS):
                self._holding = True
            elif not any(opening.startswith(start) for opening in self._OPENINGS):
                self._holding = False
                held, self._held = self._held, ""
                return held
        return ""

    def flush(self) -> str:
        held, self._held = self._held, ""
        if not self._holding:
            return held
        documents = self._documents(held)
        for document in documents:
            if not isinstance(document, dict) or not isinstance(name := document.get("name"), str):
                continue
            arguments = document.get("arguments", document.get("parameters", {}))
            if name in self._tools:
                text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
                self.calls.append(WrittenCall(name, text))
            else:
                self.unknown += 1
        return "" if self.calls or self.unknown else held

    def _documents(self, text: str) -> list[Any]:
        for mark in self._WRAPPING:
            text = text.replace(mark, " ")
        decoder = json.JSONDecoder()
        documents: list[Any] = []
        at = 0
        while (at := len(text) - len(text[at:].lstrip(" \t\r\n,;"))) < len(text):
            try:
                document, at = decoder.raw_decode(text, at)
            except ValueError:
                break
            documents += document if isinstance(document, list) else [document]
        return documents
