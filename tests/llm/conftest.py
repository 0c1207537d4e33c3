"""Backends that reach the chat server."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest_asyncio

from dialtone.llm.backends.chat_http import ChatHttp
from dialtone.llm.backends.local import LocalBackend
from dialtone.llm.backends.minimax import MiniMaxBackend
from dialtone.llm.backends.openai import OpenAiBackend
from dialtone.llm.model_entry import ModelEntry
from tests.fixtures.chat_server import API_KEY, ChatServer
from tests.llm.local_model import local_backend

MakeHttp = Callable[..., ChatHttp]


@asynccontextmanager
async def http_backends(chat_server: ChatServer) -> AsyncIterator[MakeHttp]:
    """What makes backends that are closed in the end."""
    made: list[ChatHttp] = []

    def make(kind: str = "openai", *, entry: ModelEntry | None = None, **members: object) -> ChatHttp:
        fields = {"backend": kind, "base_url": chat_server.url, "api_key": API_KEY, **members}
        kinds: dict[str, type[OpenAiBackend] | type[MiniMaxBackend]] = {
            "openai": OpenAiBackend,
            "minimax": MiniMaxBackend,
        }
        backend = kinds[kind](entry or ModelEntry.model_validate(fields))
        made.append(backend)
        return backend

    yield make
    for backend in made:
        await backend.close()


@pytest_asyncio.fixture
async def make_http(chat_server: ChatServer) -> AsyncIterator[MakeHttp]:
    """Make a backend of a kind that reaches the chat server; more arguments are members of its entry. `entry`
    goes in place of all."""
    async with http_backends(chat_server) as make:
        yield make


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local() -> AsyncIterator[LocalBackend]:
    """The default local model, loaded once: for tests in the session's event loop that leave it as it is."""
    async with local_backend() as backend:
        yield backend
