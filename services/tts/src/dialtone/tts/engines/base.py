"""What every speech engine offers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from dialtone.audio import Float32


@dataclass(frozen=True, slots=True)
class Style:
    """How a sentence is to be spoken; None leaves it to the voice."""

    speaker: str = ""  # number or name, of a model with several speakers
    noise_scale: float | None = None
    noise_scale_w: float | None = None
    length_scale: float | None = None
    speed: float = 1.0  # divides the length scale


class UnknownSpeaker(ValueError):
    """The voice has no speaker of that name or number."""


class Engine(Protocol):
    """One loaded voice."""

    @property
    def name(self) -> str:
        """Of the kind of engine, as the table of docs/backends.md has it."""

    @property
    def sample_rate(self) -> int:
        """Of what `speak` yields, in Hz."""

    def speak(self, text: str, style: Style) -> AsyncGenerator[Float32, None]:
        """Yield the audio of one normalised sentence in order, float32 [n] in [-1, 1), as it is computed.

        Raises UnknownSpeaker, SpeechFailed when another attempt may succeed, ModelLost, or UpstreamFailure.
        """

    async def warm_up(self) -> None:
        """Do once what makes the first sentence slower than the next."""


class SpeechFailed(RuntimeError):
    """The engine broke down on a sentence."""
