"""Who recognises for a model's name.

A name is looked up in ASR_MODELS, then among the entries that the convenience variables add; an exact name
goes before a pattern. No name, "default", and names of OpenAI's that are not served (a client of the Realtime
protocol may name one, such as "gpt-4o-transcribe") mean ASR_DEFAULT_MODEL; any other name is refused. A name
may stand for a list of names: the first of them that can answer does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dialtone.vad_asr.asr.backend import AsrBackend
from dialtone.vad_asr.asr.chain import Choice, Served
from dialtone.vad_asr.asr.entry import AsrEntry
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vendors.registry import (
    BadRegistry,
    Found,
    ModelNames,
    matches,
    names_in,
    read_lines,
    refuse_plain,
)

_OPENAI_NAMES = ("gpt-*", "whisper-1")

Lines = Mapping[str, AsrEntry | tuple[str, ...]]
"""Name or pattern -> how it is reached, or names to try in turn."""


class UnknownModel(Exception):
    """Nobody recognises for this name."""


class AsrRegistry:
    """The lines with their backends. `build` makes the backend of an entry. Raises BadRegistry."""

    def __init__(
        self, lines: Lines, default: tuple[str, ...], build: Callable[[AsrEntry], AsrBackend]
    ) -> None:
        self._names = ModelNames("ASR", lines, default, lambda entry: Served(entry, build(entry)))
        for served in self._names.built:
            backend = served.backend
            if served.entry.endpointing == "vendor" and not backend.abilities.ends_turns:
                name = next(name for name, line in lines.items() if line is served.entry)
                raise BadRegistry(f"ASR_MODELS.{name}.endpointing: {backend.name} cannot end turns")

    def choose(self, name: str) -> tuple[Choice, ...]:
        """Return who is to be asked for a session's model, in turn. Raises UnknownModel."""
        asked = name.strip()
        if asked.lower() in ("", "default"):
            return _choices(self._names.default)
        found = self._names.of(asked)
        if not found and matches(asked, _OPENAI_NAMES):
            found = self._names.default
        if not found:
            raise UnknownModel(asked)
        return _choices(found)

    async def close(self) -> None:
        """Close every backend."""
        for served in self._names.built:
            await served.backend.close()


def _choices(found: tuple[Found[Served], ...]) -> tuple[Choice, ...]:
    return tuple(Choice(one.built, one.model) for one in found)


def lines_of(settings: EarsSettings) -> tuple[dict[str, AsrEntry | tuple[str, ...]], tuple[str, ...]]:
    """Return the registry's lines and the names of the default. Raises BadRegistry."""
    lines = read_lines("ASR_MODELS", settings.asr_models, AsrEntry)
    default = names_in(settings.asr_default_model)

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
        refuse_plain(lines)
    return lines, default


def needs_whisper(lines: Lines) -> bool:
    """Whether the local model has to be loaded."""
    return any(isinstance(line, AsrEntry) and line.backend == "whisper" for line in lines.values())
