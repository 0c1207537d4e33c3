"""What a kind of backend can do, for the table of docs/backends.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Abilities:
    """Of one backend; the texts are cells of a table."""

    where: str
    """Where the conversation goes, and by which protocol."""
    tools: str
    images: str
    goes_on: str
    """What becomes of an answer that another worker has to end."""
    counts: str
    """Who counts the tokens of a conversation before it is sent."""
    key: str
    """The variable of its key; empty where there is none."""
    models: str
    """Names that sessions may give."""
