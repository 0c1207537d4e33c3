"""What the speech worker is told by its environment."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator
from pydantic_settings import NoDecode

from dialtone.settings import ServiceSettings
from dialtone.tts.engines.entry import VendorVoice
from dialtone.tts.engines.kokoro.entry import KokoroVoice
from dialtone.tts.voices import VoiceSpec
from dialtone.vendors.registry import is_plain, read_table


def _kind(line: Any) -> str:
    if isinstance(line, list | tuple):
        return "list"
    engine = line.get("engine", "piper") if isinstance(line, dict) else getattr(line, "engine", "piper")
    return engine if engine in ("piper", "kokoro") else "vendor"


VoiceLine = Annotated[
    Annotated[VoiceSpec, Tag("piper")]
    | Annotated[KokoroVoice, Tag("kokoro")]
    | Annotated[VendorVoice, Tag("vendor")]
    | Annotated[tuple[str, ...], Tag("list")],
    Discriminator(_kind),
]
"""A voice, or names of voices to try in turn."""
DEFAULT_VOICES: dict[str, VoiceSpec | KokoroVoice | VendorVoice | tuple[str, ...]] = {
    "joe": VoiceSpec(engine="piper", model="piper-en-joe", language="en", gain=1.4)
}


class TtsSettings(ServiceSettings):
    """Settings of one speech worker process."""

    stages: Literal["real", "simulated"] = "real"
    """`simulated` speaks tones with a known timing, for measuring what is around the models."""

    tts_voices: Annotated[dict[str, VoiceLine], NoDecode] = Field(default=DEFAULT_VOICES)
    """Voices by name, the default of each language first: JSON, or the path of a file of it or of TOML. In
    place of a voice may stand a list of names: the first of them that can speak a sentence does."""
    tts_espeak: str = "espeak-ng"
    """The program that speaks the languages without a voice of their own; empty: none does."""

    tts_threads: int = Field(default=1, ge=1)
    """Threads of one model run."""
    tts_parallel: int = Field(default=2, ge=1)
    """Model runs at once."""
    tts_slots: int = Field(default=4, ge=1)
    """Sentences in hand at once; their model runs take turns."""
    tts_step_timeout_s: float = Field(default=3.0, gt=0)
    """A model run that takes longer hangs: its process is replaced, and its sentence fails."""
    tts_block_timeout_s: float = Field(default=10.0, gt=0)
    """A sentence of which no more audio comes for so long fails; waiting for other sentences counts."""

    tts_first_chunk_ms: int = Field(default=40, ge=10, le=1000)
    tts_chunk_ms: int = Field(default=100, ge=10, le=1000)
    tts_max_characters: int = Field(default=2000, ge=1)
    """A longer sentence is refused; the gateway cuts answers into far shorter ones."""

    @field_validator("tts_voices", mode="before")
    @classmethod
    def _read_voices(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not value:  # as compose files pass a variable on that nobody set
            return DEFAULT_VOICES
        return read_table("TTS_VOICES", value)

    @model_validator(mode="after")
    def _check_voices(self) -> Self:
        for name, line in self.tts_voices.items():
            if isinstance(line, tuple):
                voices = [self.tts_voices.get(one) for one in line]
                if not voices or not all(
                    isinstance(one, VoiceSpec | KokoroVoice | VendorVoice) for one in voices
                ):
                    raise ValueError(f"tts_voices.{name} has to name voices of tts_voices")
            elif isinstance(line, VendorVoice) and self.require_tls and is_plain(line.base_url):
                raise ValueError(f"require_tls is set, and tts_voices.{name}.base_url is without TLS")
        return self
