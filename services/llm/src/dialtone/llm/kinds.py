"""The kinds of backends, by the names that entries of the registry give."""

from __future__ import annotations

from collections.abc import Mapping

from dialtone.llm.backend import ChatBackend
from dialtone.llm.backends.local import LocalBackend
from dialtone.llm.backends.minimax import MiniMaxBackend
from dialtone.llm.backends.openai import OpenAiBackend
from dialtone.llm.backends.simulated import SimulatedBackend

KINDS: Mapping[str, type[ChatBackend]] = {
    backend.name: backend for backend in (LocalBackend, OpenAiBackend, MiniMaxBackend, SimulatedBackend)
}
