"""Fields of a session that its client may not change, because whoever let it in said so.

A field is named by its dotted path in the GA session object: `instructions`, `audio.output.voice`. A name
that has fields below it, such as `audio`, stands for all of them. What would change a locked field is
refused whole; what sets one to the value that it has changes nothing, and may pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any

import msgspec

from .client_events import ResponseOptions
from .field_rules import FieldError
from .session import Audio, AudioInput, AudioOutput, Extensions, SessionConfig

# Fields that are changed one by one below this; all others are values.
_PARTS: dict[str, type[msgspec.Struct]] = {
    "audio": Audio,
    "audio.input": AudioInput,
    "audio.output": AudioOutput,
    "dialtone": Extensions,
}
# Where what a response takes instead of the session's stands in the session.
_OPTIONS = {
    "output_modalities": "output_modalities",
    "instructions": "instructions",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "max_output_tokens": "max_output_tokens",
    "parallel_tool_calls": "parallel_tool_calls",
    "output_format": "audio.output.format",
    "voice": "audio.output.voice",
    "temperature": "dialtone.temperature",
}


def _values(kind: type[msgspec.Struct], path: str = "") -> Iterator[str]:
    for member in kind.__struct_fields__:
        below = path + member
        if below in _PARTS:
            yield from _values(_PARTS[below], f"{below}.")
        else:
            yield below


_ALL = tuple(_values(SessionConfig))
LOCKABLE = frozenset((*_ALL, *_PARTS))  # the names that there are


class Locks:
    """The locked fields of one call."""

    def __init__(self, names: Iterable[str]) -> None:
        """`names` are of `LOCKABLE`; others lock nothing."""
        asked = tuple(names)
        self._paths = frozenset(
            path for path in _ALL if any(path == name or path.startswith(f"{name}.") for name in asked)
        )

    def changed_by_update(
        self, config: SessionConfig, merged: SessionConfig, patch: dict[str, Any]
    ) -> list[FieldError]:
        """What an update that makes `merged` of `config` would change and may not."""
        # Of the model the merge makes nothing: it stays for the life of a session, locked or not.
        asked = patch.get("model")
        changed = {"model"} if asked is not None and asked != config.model else set()
        for path in self._paths:
            value_of = attrgetter(path)
            if value_of(merged) != value_of(config):
                changed.add(path)
        return [_locked(f"session.{path}") for path in sorted(changed & self._paths)]

    def changed_by_options(self, config: SessionConfig, options: ResponseOptions) -> list[FieldError]:
        """What a response would have otherwise than the session, and may not."""
        changed = []
        for option, path in _OPTIONS.items():
            value = getattr(options, option)
            if path in self._paths and value is not None and value != attrgetter(path)(config):
                changed.append("temperature" if option == "temperature" else path)
        return [_locked(f"response.{path}") for path in changed]


def _locked(path: str) -> FieldError:
    return FieldError(path, "field_locked", f"'{path}' is locked for this call and may not be changed.")
