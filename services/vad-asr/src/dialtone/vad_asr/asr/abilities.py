"""What a kind of recogniser can do: for the ears, and for the table of docs/backends.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Abilities:
    """Of one backend; the texts are cells of a table."""

    where: str
    """Where the audio goes, and by which protocol."""
    live: bool
    """Takes the audio of a turn while it is spoken: guesses and partials cost no second recognition."""
    ends_turns: bool
    """Says that a speaker is done, where its entry asks for it (`endpointing`)."""
    words_as_they_come: bool
    """The words of a passage come before it is recognised to its end."""
    languages: str
    detects_language: str
    prompt: str
    """What becomes of a session's prompt."""
    key: str
    """The variable of its key; empty where there is none."""
    models: str
    """Names that sessions may give."""
