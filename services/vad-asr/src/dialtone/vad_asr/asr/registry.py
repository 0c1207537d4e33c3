"""Who recognises for a model's name.

A name is looked up in ASR_MODELS, then among the entries that the convenience variables add; an exact name
goes before a pattern. No name, "default", and names of OpenAI's that are not served (a client of the Realtime
protocol may name one, such as "gpt-4o-transcribe") mean ASR_DEFAULT_MODEL; any other name is refused. A name
may stand for a list of names: the first of them that can answer does.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from dialtone.vad_asr.asr.backend import AsrBackend
from dialtone.vad_asr.asr.chain import Choice, Served
from dialtone.vad_asr.asr.entry import AsrEntry
from dialtone.vad_asr.settings import EarsSettings

_OPENAI_NAMES = ("gpt-*", "whisper-1")

Lines = Mapping[str, AsrEntry | tuple[str, ...]]
"""Name or pattern -> how it is reached, or names to try in turn."""


class BadRegistry(ValueError):
    """ASR_MODELS or ASR_DEFAULT_MODEL cannot be used; the message says why."""


class UnknownModel(Exception):
    """Nobody recognises for this name."""


class AsrRegistry:
    """The lines with their backends. `build` makes the backend of an entry. Raises BadRegistry."""

    def __init__(
        self, lines: Lines, default: tuple[str, ...], build: Callable[[AsrEntry], AsrBackend]
    ) -> None:
        self._lines = dict(lines)
        self._default = tuple(one for name in default for one in self._expanded(name))
        lists = [("ASR_DEFAULT_MODEL", self._default)]
        lists += [(f"ASR_MODELS.{name}", line) for name, line in lines.items() if isinstance(line, tuple)]
        for where, names in lists:
            if not names:
                raise BadRegistry(f"{where} names nobody")
            for name in names:
                if not isinstance(self._find(name)[1], AsrEntry):
                    raise BadRegistry(f"{where} names {name!r}, which no entry serves")
        # Names of one entry share its backend.
        entries = {id(line): line for line in lines.values() if isinstance(line, AsrEntry)}
        self._served = {at: Served(entry, build(entry)) for at, entry in entries.items()}
        for name, line in lines.items():
            if isinstance(line, AsrEntry) and line.endpointing == "vendor":
                backend = self._served[id(line)].backend
                if not backend.abilities.ends_turns:
                    raise BadRegistry(f"ASR_MODELS.{name}.endpointing: {backend.name} cannot end turns")

    def choose(self, name: str) -> tuple[Choice, ...]:
        """Return who is to be asked for a session's model, in turn. Raises UnknownModel."""
        asked = name.strip()
        if asked.lower() in ("", "default"):
            return self._list(self._default)
        key, line = self._find(asked)
        if line is None and any(fnmatchcase(asked.lower(), pattern) for pattern in _OPENAI_NAMES):
            return self._list(self._default)
        if line is None:
            raise UnknownModel(asked)
        return self._list(line) if isinstance(line, tuple) else (self._choice(asked, key, line),)

    async def close(self) -> None:
        """Close every backend."""
        for served in self._served.values():
            await served.backend.close()

    def _expanded(self, name: str) -> tuple[str, ...]:
        line = self._find(name)[1]
        return line if isinstance(line, tuple) else (name,)

    def _list(self, names: tuple[str, ...]) -> tuple[Choice, ...]:
        found = [(name, *self._find(name)) for name in names]
        return tuple(self._choice(name, key, line) for name, key, line in found if isinstance(line, AsrEntry))

    def _choice(self, asked: str, key: str, entry: AsrEntry) -> Choice:
        return Choice(self._served[id(entry)], entry.model or _without_prefix(asked, key))

    def _find(self, name: str) -> tuple[str, AsrEntry | tuple[str, ...] | None]:
        if name in self._lines:
            return name, self._lines[name]
        lower = name.lower()
        key = next((key for key in self._lines if fnmatchcase(lower, key.lower())), "")
        return key, self._lines.get(key)


def _without_prefix(name: str, key: str) -> str:
    prefix = key.partition("*")[0]
    return name[len(prefix) :] if prefix.endswith("/") and "*" in key else name


def lines_of(settings: EarsSettings) -> tuple[dict[str, AsrEntry | tuple[str, ...]], tuple[str, ...]]:
    """Return the registry's lines and the names of the default. Raises BadRegistry."""
    lines = _configured(settings.asr_models)
    default = tuple(name.strip() for name in settings.asr_default_model.split(",") if name.strip())

    def add(names: tuple[str, ...], entry: AsrEntry) -> None:
        for name in names:
            lines.setdefault(name, entry)

    if settings.asr_openai_api_key.get_secret_value() or settings.asr_openai_base_url:
        openai = AsrEntry(
            backend="openai", base_url=settings.asr_openai_base_url, api_key=settings.asr_openai_api_key
        )
        add(("openai",), openai.model_copy(update={"model": settings.asr_openai_model}))
        add(("openai/*", *_OPENAI_NAMES), openai)
    if settings.deepgram_api_key.get_secret_value():
        deepgram = AsrEntry(
            backend="deepgram", base_url=settings.deepgram_base_url, api_key=settings.deepgram_api_key
        )
        add(("deepgram",), deepgram.model_copy(update={"model": settings.deepgram_model}))
        add(("deepgram/*", "nova-*"), deepgram)
    if settings.gemini_api_key.get_secret_value():
        gemini = AsrEntry(
            backend="gemini", base_url=settings.gemini_base_url, api_key=settings.gemini_api_key
        )
        add(("gemini",), gemini.model_copy(update={"model": settings.gemini_model}))
        add(("gemini-*",), gemini)
    named = {name for line in lines.values() if isinstance(line, tuple) for name in line}
    if "whisper" in {*default, *named}:
        add(("whisper", settings.asr_model), AsrEntry(backend="whisper", model=settings.asr_model))
    if settings.require_tls:
        _refuse_plain(lines)
    return lines, default


def needs_whisper(lines: Lines) -> bool:
    """Whether the local model has to be loaded."""
    return any(isinstance(line, AsrEntry) and line.backend == "whisper" for line in lines.values())


def _refuse_plain(lines: Lines) -> None:
    for name, line in lines.items():
        if isinstance(line, AsrEntry) and urlsplit(line.base_url).scheme in ("http", "ws"):
            raise BadRegistry(f"REQUIRE_TLS is set, and base_url of {name!r} is without TLS")


def _configured(value: str) -> dict[str, AsrEntry | tuple[str, ...]]:
    if not value.strip():
        return {}
    try:
        if value.lstrip().startswith("{"):
            raw = json.loads(value)
        else:
            path = Path(value).expanduser()
            text = path.read_text()
            raw = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise BadRegistry(f"ASR_MODELS cannot be read: {error}") from error
    except ValueError as error:
        raise BadRegistry(f"ASR_MODELS is neither JSON nor TOML: {error}") from error
    if not isinstance(raw, dict):
        raise BadRegistry("ASR_MODELS is no table of names")
    return {str(name): _line(str(name), line) for name, line in raw.items()}


def _line(name: str, line: object) -> AsrEntry | tuple[str, ...]:
    if isinstance(line, list) and all(isinstance(one, str) for one in line):
        return tuple(line)
    try:
        return AsrEntry.model_validate(line)
    except ValidationError as error:
        # Pydantic's text repeats its input, and with it keys.
        wrong = error.errors(include_input=False, include_url=False)
        what = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in wrong)
        raise BadRegistry(f"ASR_MODELS has a wrong entry {name!r}: {what}") from None
