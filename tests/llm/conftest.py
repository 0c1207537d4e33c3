"""Backends that reach the chat server."""

from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from dialtone.llm.backends.chat_http import ChatHttp
from dialtone.llm.backends.minimax import MiniMaxBackend
from dialtone.llm.backends.openai import OpenAiBackend
from dialtone.llm.model_entry import ModelEntry
from tests.fixtures.chat_server import API_KEY, ChatServer

MakeHttp = Callable[..., ChatHttp]


@pytest_asyncio.fixture
async def make_http(chat_server: ChatServer) -> AsyncIterator[MakeHttp]:
    """Make a backend of a kind that reaches the chat server; more arguments are members of its entry."""
    made: list[ChatHttp] = []

    def make(kind: str = "openai", **entry: object) -> ChatHttp:
        fields = {"backend": kind, "base_url": chat_server.url, "api_key": API_KEY, **entry}
        kinds: dict[str, type[OpenAiBackend] | type[MiniMaxBackend]] = {
            "openai": OpenAiBackend,
            "minimax": MiniMaxBackend,
        }
        backend = kinds[kind](ModelEntry.model_validate(fields))
        made.append(backend)
        return backend

    yield make
    for backend in made:
        await backend.close()
