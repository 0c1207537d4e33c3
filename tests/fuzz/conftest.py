"""A stack of its own for what is sent here, in which every call is recorded."""

from collections.abc import Iterator

import pytest

from tests.fixtures.stack import running

from .target import Target


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    recordings = tmp_path_factory.mktemp("recorded-calls")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECORD_CALLS_DIR", str(recordings))
        patch.setenv("ADDRESS_REQUESTS_PER_MINUTE", "0")  # all of it comes from one
        with running("simulated", tmp_path_factory.mktemp("fuzzed")) as stack:
            target = Target(stack, recordings)
            yield target
            target.close()
