"""What a vendor's server of the tests does with the next question."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

API_KEY = "sk-test-0123456789abcdef"
MODEL = "test-model"
"""The one that the servers know."""
UNSPOKEN = "xx"
"""A language that they do not take."""


@dataclass(frozen=True)
class Scene:
    """An answer. `words` are parts of the text, spaces and all, sent `pace_s` apart."""

    words: Sequence[str] = ("Hello", " there.")
    pace_s: float = 0.0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_delay: str = ""
    """Gemini's way to say when to come again, in the error's details."""
    cut_after: int | None = None
    """The connection breaks after so many of the words."""
    silent: bool = False
    """The question is taken, and nothing is said."""
    raw: tuple[bytes, str] | None = None
    """Something else altogether, and its content type."""

    @property
    def text(self) -> str:
        return "".join(self.words).strip()


@dataclass(frozen=True)
class Asked:
    """A question as the server saw it."""

    model: str
    language: str
    prompt: str
    seconds: float


class VendorServer(Protocol):
    """Listens on a free port of 127.0.0.1."""

    script: deque[Scene]
    """For the next questions; after that each is answered with `Scene()`."""
    asked: list[Asked]

    @property
    def url(self) -> str:
        """The base URL."""
        ...

    @property
    def open(self) -> int:
        """Questions being answered now, or connections, where these outlive questions."""
        ...
