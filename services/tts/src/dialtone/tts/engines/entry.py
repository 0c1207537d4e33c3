"""A voice that a vendor's server speaks with, as the registry of voices describes it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dialtone.vendors.answer import Patience
from dialtone.vendors.entry import VendorEntry
from dialtone.vendors.limits import ServerLimits


class SpeechLimits(ServerLimits):
    """How long a vendor's server may take, in seconds."""

    first_s: float = Field(default=4.0, gt=0)
    """Until the first audio of a sentence."""
    pause_s: float = Field(default=3.0, gt=0)
    """From one piece of audio to the next."""
    whole_s: float = Field(default=60.0, gt=0)
    """For all of a sentence."""

    def patience(self) -> Patience:
        """With a sentence, from now on."""
        return Patience(self.first_s, pause_s=self.pause_s, whole_s=self.whole_s)


class VendorVoice(VendorEntry):
    """How one voice is reached."""

    engine: Literal["openai", "minimax"]
    model: str
    """The server's name of the model."""
    voice: str
    """The server's name of the voice."""
    language: str
    """What it is given to speak; `*`: every language, for voices that speak many."""
    gain: float = Field(default=1.0, gt=0, le=8)
    """Factor that brings the voice to full range."""
    sample_rate: int = Field(default=24_000, ge=8_000, le=48_000)
    """Of the audio that the server sends, in Hz."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """More fields of every request, such as `instructions`."""
    limits: SpeechLimits = SpeechLimits()
