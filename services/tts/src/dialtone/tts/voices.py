"""Which voice speaks which text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dialtone.tts.engines.base import Engine
from dialtone.tts.engines.entry import VendorVoice
from dialtone.tts.engines.kokoro.entry import KokoroVoice
from dialtone.tts.text.language import (
    is_latin,
    language_of,
    primary_subtag,
    split_by_script,
    split_latin,
)
from dialtone.v1.offers_pb2 import Offer
from dialtone.vendors.breaker import Breaker

# Clients written for OpenAI's API name these; here each is the default voice of the language.
_OPENAI_NAMES = "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse"
OPENAI_VOICES = frozenset(_OPENAI_NAMES.split())
EVERY_LANGUAGE = "*"


class VoiceSpec(BaseModel):
    """A voice as settings describe it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Literal["piper"] = "piper"
    model: str
    """Name in the model manifest, or path of the .onnx or its folder."""
    language: str
    gain: float = Field(default=1.0, gt=0, le=8)
    """Factor that brings the voice to full range; Piper's models differ."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A loaded voice."""

    name: str
    language: str
    engine: Engine
    fallback: bool = False  # stands in where its language has no voice of its own
    any_script: bool = False  # copes with words in other scripts by itself
    latin: bool = True  # of a language in another script: copes with words in Latin letters
    breaker: Breaker | None = None  # of a vendor's server

    @property
    def backend(self) -> str:
        """The kind of its engine, which failures and breakdowns name."""
        return self.engine.name


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a sentence and who speaks it."""

    text: str
    language: str
    voice: Voice
    others: tuple[Voice, ...] = ()  # who speaks it, in turn, where that voice fails


@dataclass(frozen=True, slots=True)
class Casting:
    """Who speaks a sentence."""

    parts: tuple[Part, ...]
    unspoken: tuple[str, ...]  # languages of stretches that are left out because no voice speaks them
    notice: str


class VoiceRegistry:
    """The voices of this worker by name, the first of each language its default.

    A name may stand for a list of other names: the first of them that speaks the language and can, does.
    """

    def __init__(self, lines: Mapping[str, Voice | tuple[str, ...]], fallbacks: Mapping[str, Voice]) -> None:
        voices = {name: line for name, line in lines.items() if isinstance(line, Voice)}
        self._lines = {
            name: (line,) if isinstance(line, Voice) else tuple(voices[one] for one in line)
            for name, line in lines.items()
        }
        self._fallbacks = fallbacks  # by language

    @property
    def offers(self) -> list[Offer]:
        """Every voice that a session may name."""
        of_language: dict[str, str] = {}
        for name, voices in self._lines.items():
            of_language.setdefault(voices[0].language, name)
        return [
            Offer(
                name=name,
                language=voices[0].language,
                is_default=of_language[voices[0].language] == name,
            )
            for name, voices in self._lines.items()
        ]

    def cast(self, text: str, *, name: str = "", language: str = "") -> Casting:
        """Choose the voices of a cleaned sentence that holds something speakable.

        One voice speaks the whole sentence where it can. A voice of a language in Latin letters leaves
        stretches in other scripts to the voice of that script's language, and a voice that would misread
        Latin words leaves these to the English one. No parts: nobody can speak it.
        """
        notices = []
        named = self._lines.get(name, ())
        own_language = named[0].language if named and named[0].language != EVERY_LANGUAGE else ""
        main_language = language_of(text, language or own_language)
        main = next(iter(self._speaking(main_language, named)), None)
        stretches = [(main_language, text)]
        if main is not None and not main.latin:
            stretches = split_latin(text, main_language)
        elif is_latin(main_language) and not (main is not None and main.any_script):
            stretches = split_by_script(text, main_language)

        parts: list[Part] = []
        unspoken: list[str] = []
        for stretch_language, stretch in stretches:
            voices = self._speaking(stretch_language, named)
            if voices:
                parts.append(Part(stretch, stretch_language, voices[0], voices[1:]))
            else:
                unspoken.append(stretch_language)
        if name and not named and name not in OPENAI_VOICES:
            instead = "".join(f", {part.voice.name} speaks" for part in parts[:1])
            notices.append(f"tts: no voice is called {name[:64]!r}{instead} (voice)")
        notices += _about_fallbacks(parts)
        notices += [f"no voice speaks {missing}" for missing in dict.fromkeys(unspoken)]
        return Casting(tuple(parts), tuple(dict.fromkeys(unspoken)), "; ".join(notices))

    def _speaking(self, language: str, named: tuple[Voice, ...]) -> tuple[Voice, ...]:
        for line in (named, *self._lines.values()):
            if speaking := tuple(one for one in line if one.language in (language, EVERY_LANGUAGE)):
                return speaking
        fallback = self._fallbacks.get(language)
        return (fallback,) if fallback else ()


def _about_fallbacks(parts: list[Part]) -> list[str]:
    used = dict.fromkeys((part.voice.name, part.language) for part in parts if part.voice.fallback)
    return [f"fallback voice {name} speaks {language}" for name, language in used]


def spoken_language(spec: VoiceSpec | KokoroVoice | VendorVoice) -> str:
    """ISO 639-1 of a voice."""
    return primary_subtag(spec.language)
