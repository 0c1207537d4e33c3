"""What a kind of engine can do, for the table of docs/backends.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Abilities:
    """Of one engine; the texts are cells of a table."""

    where: str
    """Where the text goes, and by which protocol."""
    streams: str
    """Whether audio comes before the sentence is spoken to its end."""
    languages: str
    speeds: str
    """What it takes of length scale and speed together: speed divided by length scale."""
    longest: str
    """The longest text."""
