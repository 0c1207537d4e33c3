"""A voice that a vendor's server speaks with, as the registry of voices describes it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dialtone.settings import secret_of_environment
from dialtone.vendors.limits import BreakerLimits


class SpeechLimits(BreakerLimits):
    """How long a vendor's server may take, in seconds."""

    connect_s: float = Field(default=2.0, gt=0)
    first_s: float = Field(default=4.0, gt=0)
    """Until the first audio of a sentence."""
    pause_s: float = Field(default=3.0, gt=0)
    """From one piece of audio to the next."""
    whole_s: float = Field(default=60.0, gt=0)
    """For all of a sentence."""


class VendorVoice(BaseModel):
    """How one voice is reached."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    engine: Literal["openai"]
    model: str
    """The server's name of the model."""
    voice: str
    """The server's name of the voice."""
    language: str
    """What it is given to speak; `*`: every language, for voices that speak many."""
    gain: float = Field(default=1.0, gt=0, le=8)
    """Factor that brings the voice to full range."""
    base_url: str = ""
    """Empty: the vendor's own."""
    api_key_env: str = ""
    """Name of the environment variable that holds the key; with `_FILE` behind it, of one that names a file
    with it. Empty: no key is sent."""
    sample_rate: int = Field(default=24_000, ge=8_000, le=48_000)
    """Of the audio that the server sends, in Hz."""
    extra: dict[str, Any] = {}
    """More fields of every request, such as `instructions`."""
    limits: SpeechLimits = SpeechLimits()
    connections: int = Field(default=100, ge=1)
    """Connections to the server at once."""

    def key(self) -> str:
        """The key; empty where the server wants none. Raises SettingsError for a file that cannot be read."""
        return secret_of_environment(self.api_key_env).get_secret_value()
