"""One stack for all of it: real voice activity detection, a model behind an API, keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dialtone.local.state import StackState
from tests.conformance.caller import Server
from tests.conformance.dialect import Beta, Dialect, Ga
from tests.fixtures.chat_server import ChatServer
from tests.fixtures.stack import running

KEY = "sk-conformance-0123456789"


@pytest.fixture(params=[Ga(), Beta()], ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


@pytest.fixture(scope="package")
def served(shared_chat_server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A stack whose recogniser and voice are simulated and whose model is the chat server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("API_KEYS", KEY)
        for name, value in shared_chat_server.environment.items():
            patch.setenv(name, value)
        with running("simulated", tmp_path_factory.mktemp("conformance")) as state:
            yield Server(state.url, KEY)


@pytest.fixture
def server(served: Server, chat_server: ChatServer) -> Server:
    """The stack, with nothing scripted and nothing seen by its model."""
    del chat_server
    return served


@pytest.fixture
def real_server(real_stack: StackState) -> Server:
    """A stack on the default models, open to every key."""
    return Server(real_stack.url, "any")
