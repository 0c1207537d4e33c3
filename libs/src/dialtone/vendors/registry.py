"""Registries: tables that operators write, of names and how who stands behind them is reached.

A line is an entry, or a list of names of which the first that can answers. The table is JSON in the
variable itself, or a file of TOML or JSON that it names.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from dialtone.vendors.entry import VendorEntry

Entry = TypeVar("Entry", bound=VendorEntry)
Built = TypeVar("Built")


class BadRegistry(ValueError):
    """A registry cannot be used; the message names its variable and says why, and repeats no value."""


def read_table(variable: str, value: str) -> dict[str, Any]:
    """Return what a variable holds, or the file that it names; nothing where it is empty. BadRegistry."""
    if not value.strip():
        return {}
    try:
        if value.lstrip().startswith("{"):
            table = json.loads(value)
        else:
            path = Path(value).expanduser()
            text = path.read_text(encoding="utf-8")
            table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        # What is no path may be a table with keys in it, and the error repeats it.
        named = f": {value}" if not any(letter in value for letter in "\n=[") else ""
        raise BadRegistry(f"{variable} cannot be read: {error.strerror}{named}") from None
    except ValueError as error:
        raise BadRegistry(f"{variable} is neither JSON nor TOML: {error}") from error
    if not isinstance(table, dict):
        raise BadRegistry(f"{variable} is no table of names")
    return {str(name): line for name, line in table.items()}


def read_lines(variable: str, value: str, kind: type[Entry]) -> dict[str, Entry | tuple[str, ...]]:
    """Return the lines of a registry of models. Raises BadRegistry."""
    return {name: _line(variable, name, line, kind) for name, line in read_table(variable, value).items()}


def _line(variable: str, name: str, line: object, kind: type[Entry]) -> Entry | tuple[str, ...]:
    if isinstance(line, list) and all(isinstance(one, str) for one in line):
        return tuple(line)
    try:
        return kind.model_validate(line)
    except ValidationError as error:
        # Pydantic's text repeats its input, and with it keys.
        wrong = error.errors(include_input=False, include_url=False)
        what = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong)
        raise BadRegistry(f"{variable} has a wrong entry {name!r}: {what}") from None


def names_in(value: str) -> tuple[str, ...]:
    """The names of a variable that holds some, separated by commas."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def is_plain(url: str) -> bool:
    """Whether a server would be spoken to there without TLS."""
    return urlsplit(url).scheme in ("http", "ws")


def refuse_plain(lines: Mapping[str, Entry | tuple[str, ...]]) -> None:
    """Raise BadRegistry for a server that would be spoken to without TLS."""
    for name, line in lines.items():
        if not isinstance(line, tuple) and is_plain(line.base_url):
            raise BadRegistry(f"REQUIRE_TLS is set, and base_url of {name!r} is without TLS")


@dataclass(frozen=True, slots=True)
class Found(Generic[Built]):
    """What stands behind a name."""

    built: Built
    model: str
    """The name of the model that the server knows."""


class ModelNames(Generic[Entry, Built]):
    """Names and patterns of models, and who answers to them. An exact name goes before a pattern."""

    def __init__(
        self,
        stage: str,
        lines: Mapping[str, Entry | tuple[str, ...]],
        default: Sequence[str],
        build: Callable[[Entry], Built],
    ) -> None:
        """`stage` is how its variables begin: {stage}_MODELS, {stage}_DEFAULT_MODEL. `build` is called once
        for an entry, however many names it has. Raises BadRegistry."""
        self._lines = dict(lines)
        self._default = tuple(one for name in default for one in self._expanded(name))
        lists = [(f"{stage}_DEFAULT_MODEL", self._default)]
        lists += [(f"{stage}_MODELS.{name}", line) for name, line in lines.items() if isinstance(line, tuple)]
        for where, names in lists:
            if not names:
                raise BadRegistry(f"{where} names nobody")
            for name in names:
                if isinstance(self._find(name)[1], tuple | None):
                    raise BadRegistry(f"{where} names {name!r}, which no entry serves")
        entries = {id(line): line for line in self._lines.values() if not isinstance(line, tuple)}
        self._built = {at: build(entry) for at, entry in entries.items()}

    @property
    def default(self) -> tuple[Found[Built], ...]:
        """Who answers where a session names nobody, in turn."""
        return self._list(self._default)

    @property
    def built(self) -> Sequence[Built]:
        """What was built, each once."""
        return list(self._built.values())

    def of(self, name: str) -> tuple[Found[Built], ...]:
        """Who answers to a name, in turn; nobody where it is not known."""
        key, line = self._find(name)
        if line is None:
            return ()
        return self._list(line) if isinstance(line, tuple) else (self._found(name, key, line),)

    def _expanded(self, name: str) -> tuple[str, ...]:
        line = self._find(name)[1]
        return line if isinstance(line, tuple) else (name,)

    def _list(self, names: Sequence[str]) -> tuple[Found[Built], ...]:
        found = [(name, *self._find(name)) for name in names]
        return tuple(
            self._found(name, key, line)
            for name, key, line in found
            if line is not None and not isinstance(line, tuple)
        )

    def _found(self, asked: str, key: str, entry: Entry) -> Found[Built]:
        return Found(self._built[id(entry)], entry.model or _without_prefix(asked, key))

    def _find(self, name: str) -> tuple[str, Entry | tuple[str, ...] | None]:
        if name in self._lines:
            return name, self._lines[name]
        lower = name.lower()
        key = next((key for key in self._lines if fnmatchcase(lower, key.lower())), "")
        return key, self._lines.get(key)


def is_pattern(name: str) -> bool:
    """Whether a name of a registry stands for others."""
    return any(letter in name for letter in "*?[")


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether it is one of the names that the patterns stand for, in capitals or not."""
    return any(fnmatchcase(name.lower(), pattern) for pattern in patterns)


def _without_prefix(name: str, key: str) -> str:
    prefix = key.partition("*")[0]
    return name[len(prefix) :] if prefix.endswith("/") and "*" in key else name
