"""One line of the registry of recognisers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from dialtone.vad_asr.asr.recognition import Passage
from dialtone.vendors.answer import Patience
from dialtone.vendors.entry import VendorEntry
from dialtone.vendors.limits import ServerLimits


class AsrLimits(ServerLimits):
    """How long a vendor's server may take, in seconds."""

    answer_s: float = Field(default=6.0, gt=0)
    """For the words of a passage, once it is asked about."""
    answer_per_audio_s: float = Field(default=0.25, ge=0)
    """More of it for each second of the passage."""

    def answer_within_s(self, passage: Passage) -> float:
        """How long its words may take."""
        return self.answer_s + self.answer_per_audio_s * passage.seconds

    def patience(self, passage: Passage) -> Patience:
        """The same, from now on."""
        within_s = self.answer_within_s(passage)
        return Patience(within_s, whole_s=within_s)


class AsrEntry(VendorEntry):
    """How the recognisers of one name, or of a pattern such as `nova-*`, are reached."""

    backend: Literal["whisper", "openai", "deepgram", "gemini"]
    model: str = ""
    """The server's name of the model. Empty: the name asked for, without what its pattern has before the
    star when that ends in a slash (`openai/*`). Of `whisper` it is ASR_MODEL, whatever stands here."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes that it takes; empty: whatever the server takes. A session that asks for another one
    gets `unsupported_language`, or the next backend of its list."""
    early: bool = True
    """Ask at each pause, ahead of the turn's end: the answer comes earlier, and pauses that end nothing are
    paid for."""
    endpointing: Literal["ours", "vendor"] = "ours"
    """Who says where a turn ends that its session leaves to the server's voice activity detection. `vendor`:
    the backend's server, of those that can; after the session's silence the turn is over all the same."""
    partials: bool = False
    """Show words while the user speaks though all of the turn has to be recognised anew each time. Backends
    that hear a turn live show them always."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """More fields of every request: of the form (openai), the query (deepgram), `generationConfig`
    (gemini)."""
    limits: AsrLimits = AsrLimits()

    @model_validator(mode="after")
    def _vendors_hear_what_they_end(self) -> AsrEntry:
        if self.endpointing == "vendor" and not self.early:
            raise ValueError("endpointing: a vendor that is to end turns has to be asked early")
        return self
