"""What engines with one speaker refuse of a sentence, before it costs anybody anything."""

from __future__ import annotations

from dialtone.tts.engines.base import Style, UnknownSpeaker
from dialtone.vendors.failures import UpstreamFailure


def refuse_longer(text: str, longest: int) -> None:
    """Raise UpstreamFailure for a text of more than so many characters."""
    if len(text) > longest:
        raise UpstreamFailure("text_too_long", f"{len(text)} characters, at most {longest} are taken")


def speed_of(style: Style, slowest: float, fastest: float) -> float:
    """Return how many times faster than usual it is to be spoken.

    Raises UnknownSpeaker for a style that names a speaker, UpstreamFailure for a speed that is not taken.
    """
    if style.speaker:
        raise UnknownSpeaker(f"the voice has one speaker, not {style.speaker!r}")
    speed = style.speed / (1.0 if style.length_scale is None else style.length_scale)
    if not slowest <= speed <= fastest:
        message = f"speed is {speed:g}, from {slowest:g} to {fastest:g} is taken"
        raise UpstreamFailure("invalid_voice", message)
    return speed
