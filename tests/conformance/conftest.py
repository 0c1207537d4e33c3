"""One stack for all of it: real voice activity detection, a model behind an API, keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dialtone.local.state import StackState
from tests.conformance.caller import Server
from tests.conformance.dialect import Beta, Dialect, Ga, named
from tests.fixtures.chat_server import ChatServer
from tests.fixtures.stack import running

KEY = "sk-conformance-0123456789"


@pytest.fixture(params=[Ga(), Beta()], ids=named)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


@pytest.fixture(scope="package")
def served(shared_chat_server: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A stack whose recogniser and voice are simulated and whose model is the chat server."""
    with ExitStack() as stack:
        # For the start only: other stacks are started while this one runs.
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"API_KEYS": KEY, **shared_chat_server.environment}.items():
                patch.setenv(name, value)
            state = stack.enter_context(running("simulated", tmp_path_factory.mktemp("conformance")))
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
