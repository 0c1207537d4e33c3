"""Tool calls that a model writes into its answer's text instead of the protocol's fields."""

import json
import re
from collections.abc import Sequence
from typing import Any

from dialtone.llm.text_filters import partial_tag
from dialtone.llm.tool_calls import ToolCall, object_text

_TAGS = ("<tool_call>", "<tools>", "<minimax:tool_call>")
_FENCE = "```"
_BETWEEN = re.compile(r"(?:\s|[,;\[\]]|</?(?:tool_call|tools)>|```(?:json|tool_call)?(?![a-z]))*")
_STARTS_OBJECT = re.compile(r"\{\s*(?:[\"}]|$)")


class WrittenCalls:
    """Takes written calls out of a text: JSON in `<tool_call>` tags; where `bare`, in a fence or alone too.

    Text passes until a call may begin; from there it is held until it is known to be none. What follows a
    call is dropped: the model has not seen the call's result. A call said twice is one call.
    """

    def __init__(self, tools: Sequence[str], *, bare: bool) -> None:
        self._tools = frozenset(tools)
        self._openings = (*_TAGS, _FENCE, "{") if bare else _TAGS
        self._bare = bare
        self._passed = False  # text that is not blank
        self._held = ""
        self._holding = False
        self._read = 0  # of what is held: where the next document begins
        self.calls: list[ToolCall] = []
        self.unknown = 0
        """Calls of tools that do not exist."""
        self.broken = False
        """There was JSON or a tag, but no call in it."""
        self.finished = False
        """Nothing of what may follow is of use."""

    @property
    def meant(self) -> str:
        """The tool that a broken call was for, as far as it can be made out."""
        found = re.search(r'"name"\s*:\s*"([^"]+)"', self._held[self._read :])
        return found[1] if self.broken and found and found[1] in self._tools else ""

    def feed(self, text: str) -> str:
        if self.finished:
            return ""
        self._held += text
        passed = ""
        while self._held:
            if self._holding:
                if not self._still_holds():
                    # No call: past its first character it may pass, or be looked at again.
                    passed += self._held[:1]
                    self._held = self._held[1:]
                    self._holding = False
                    continue
                break
            at = self._opening_at()
            passed += self._held[:at]
            self._held = self._held[at:]
            if not self._holding:
                break
        self._passed = self._passed or bool(passed.strip())
        return passed

    def flush(self) -> str:
        if self.finished:
            return ""
        if not self._holding:
            held, self._held = self._held, ""
            return held
        self.broken = not self.calls and not self.unknown
        self.finished = True
        return ""

    def _opening_at(self) -> int:
        """Return how much of what is held may pass; what follows begins a call if `_holding` is set."""
        found = [at for opening in self._openings if (at := self._held.find(opening)) >= 0]
        if self._bare and not self._passed and self._held.lstrip().startswith("["):
            found.append(self._held.index("["))
        if found:
            self._holding = True
            self._read = 0
            return min(found)
        return len(self._held) - max(partial_tag(self._held, opening) for opening in self._openings)

    def _still_holds(self) -> bool:
        """Read on in what is held; return whether it is, or may become, a call."""
        while True:
            between = _BETWEEN.match(self._held, self._read)
            at = between.end() if between else self._read
            rest = self._held[at:]
            if not rest or self._held.startswith(_TAGS[2]) or any(_begins(mark, rest) for mark in _MARKS):
                return True
            known = bool(self.calls or self.unknown)
            if not _STARTS_OBJECT.match(rest):
                if known:
                    self.finished = True
                # In tags there is nothing but calls, whatever it looks like.
                return known or self._held.startswith(_TAGS)
            try:
                document, end = json.JSONDecoder(strict=False).raw_decode(self._held, at)
            except ValueError:
                return True  # its end is still to come, or it has none
            if not self._take(document):
                if known:
                    self.finished = True
                else:
                    self.broken = self.finished = True
                return True
            self._read = end
            if self.finished:
                return True

    def _take(self, document: Any) -> bool:
        """Note the call that a document is; return whether it is one."""
        if isinstance(document, dict) and isinstance(inner := document.get("function"), dict):
            document = inner
        if not isinstance(document, dict) or not isinstance(name := document.get("name"), str):
            return False
        arguments = document.get("arguments", document.get("parameters", {}))
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        if name not in self._tools:
            self.unknown += 1
            return True
        try:
            call = ToolCall("", name, object_text(text))
        except ValueError:
            return False
        if call in self.calls:
            self.finished = True
        else:
            self.calls.append(call)
        return True


_MARKS = ("<tool_call>", "</tool_call>", "<tools>", "</tools>", "```json", "```tool_call")


def _begins(mark: str, text: str) -> bool:
    return len(text) < len(mark) and mark.startswith(text)
