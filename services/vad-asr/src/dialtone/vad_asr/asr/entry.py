"""One line of the registry of recognisers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dialtone.settings import secret_of_environment
from dialtone.vad_asr.asr.recognition import Passage
from dialtone.vendors.limits import BreakerLimits


class AsrLimits(BreakerLimits):
    """How long a vendor's server may take, in seconds."""

    connect_s: float = Field(default=2.0, gt=0)
    answer_s: float = Field(default=6.0, gt=0)
    """For the words of a passage, once it is asked about."""
    answer_per_audio_s: float = Field(default=0.25, ge=0)
    """More of it for each second of the passage."""

    def answer_within_s(self, passage: Passage) -> float:
        """How long its words may take."""
        return self.answer_s + self.answer_per_audio_s * passage.seconds


class AsrEntry(BaseModel):
    """How the recognisers of one name, or of a pattern such as `nova-*`, are reached."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    backend: Literal["whisper", "openai", "deepgram", "gemini"]
    model: str = ""
    """The server's name of the model. Empty: the name asked for, without what its pattern has before the
    star when that ends in a slash (`openai/*`). Of `whisper` it is ASR_MODEL, whatever stands here."""
    base_url: str = ""
    """Empty: the vendor's own."""
    api_key: SecretStr = SecretStr("")
    api_key_env: str = ""
    """Name of the environment variable that holds the key, where it is not given here; with `_FILE` behind
    it, of one that names a file with it."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes that it takes; empty: whatever the server takes. A session that asks for another one
    gets `unsupported_language`, or the next backend of its list."""
    early: bool = True
    """Ask at each pause, ahead of the turn's end: the answer comes earlier, and pauses that end nothing are
    paid for."""
    partials: bool = False
    """Show words while the user speaks though all of the turn has to be recognised anew each time. Backends
    that hear a turn live show them always."""
    extra: dict[str, Any] = {}
    """More fields of every request: of the form (openai), the query (deepgram), `generationConfig`
    (gemini)."""
    limits: AsrLimits = AsrLimits()
    connections: int = Field(default=100, ge=1)
    """Connections to the server at once, for backends that share them among calls."""

    def key(self) -> str:
        """The key; empty where the server wants none."""
        return self.api_key.get_secret_value() or secret_of_environment(self.api_key_env).get_secret_value()
