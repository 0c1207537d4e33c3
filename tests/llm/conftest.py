"""A vendor's server, and the backends that reach it."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from dialtone.llm.backends.chat_http import ChatHttp
from dialtone.llm.backends.minimax import MiniMaxBackend
from dialtone.llm.backends.openai import OpenAiBackend
from dialtone.llm.model_entry import ModelEntry
from tests.llm.vendor import API_KEY, Vendor

MakeHttp = Callable[..., ChatHttp]


@pytest.fixture(scope="session")
def vendor_server() -> Iterator[Vendor]:
    server = Vendor()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def vendor(vendor_server: Vendor) -> Vendor:
    """The vendor's server, with nothing scripted and nothing seen."""
    vendor_server.script.clear()
    vendor_server.seen.clear()
    return vendor_server


@pytest_asyncio.fixture
async def make_http(vendor: Vendor) -> AsyncIterator[MakeHttp]:
    """Make a backend of a kind that reaches the vendor; more arguments are members of its entry."""
    made: list[ChatHttp] = []

    def make(kind: str = "openai", **entry: object) -> ChatHttp:
        fields = {"backend": kind, "base_url": vendor.url, "api_key": API_KEY, **entry}
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
