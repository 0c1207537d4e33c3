"""The settings of docs/backends.md, as an operator would copy them."""

import math
import os
import re
import tomllib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from dialtone.llm.answer import Event
from dialtone.llm.backend import ChatBackend
from dialtone.llm.model_entry import OPENAI_URL, ModelEntry
from dialtone.llm.registry import lines_of
from dialtone.llm.settings import LlmSettings
from dialtone.v1.turn_pb2 import LlmTurn
from tests.fixtures.chat_server import API_KEY, ChatServer
from tests.llm.conftest import MakeHttp

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "backends.md"


def documented() -> dict[str, dict[str, Any]]:
    """The entries of the section about models, as TOML has them."""
    section = _DOCUMENT.read_text(encoding="utf-8").partition("\n## Models\n")[2].partition("\n## ")[0]
    block = re.search(r"```toml\n(.*?)```", section, re.DOTALL)
    assert block
    return tomllib.loads(block[1])


class Named:
    """A backend whose server is asked for one model, as the registry asks it."""

    def __init__(self, backend: ChatBackend, model: str) -> None:
        self._backend = backend
        self._model = model
        self.name = backend.name
        self.abilities = backend.abilities
        self.breaker = backend.breaker

    async def load(self) -> None:
        await self._backend.load()

    def check(self, turn: LlmTurn) -> None:
        self._backend.check(self._asked(turn))

    def stream(
        self, turn: LlmTurn, delivered: str = "", *, again: bool = True, first_token_by: float = math.inf
    ) -> AsyncGenerator[Event, None]:
        asked = self._asked(turn)
        return self._backend.stream(asked, delivered, again=again, first_token_by=first_token_by)

    def _asked(self, turn: LlmTurn) -> LlmTurn:
        asked = LlmTurn()
        asked.CopyFrom(turn)
        asked.model = self._model
        return asked

    async def close(self) -> None:
        await self._backend.close()


def documented_backend(make: MakeHttp, chat_server: ChatServer, name: str, **changed: object) -> Named:
    """A backend by the settings of the document, at the chat server in place of the documented one."""
    entry = documented()[name]
    entry.pop("api_key_env", None)
    url = chat_server.url_of(name, entry.get("base_url", OPENAI_URL))
    members = {**entry, "base_url": url, "api_key": API_KEY, **changed}
    return Named(make(members.pop("backend"), **members), entry["model"])


def live_entries() -> dict[str, ModelEntry]:
    """Those of servers that can be asked: the documented ones whose key is in the environment, and the
    entries of LLM_MODELS there."""
    keyed = {
        f"live {name}": ModelEntry.model_validate(entry)
        for name, entry in documented().items()
        if os.environ.get(entry.get("api_key_env", ""))
    }
    configured = os.environ.get("LLM_MODELS", "")
    if not configured:
        return keyed
    lines, _ = lines_of(LlmSettings(llm_models=configured, llm_default_model="simulated"))
    own = {
        f"live {name}": line
        for name, line in lines.items()
        if isinstance(line, ModelEntry) and line.backend == "openai" and line.model
    }
    return {**keyed, **own}
