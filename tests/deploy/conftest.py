"""The Secrets and the broker of the manifests, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.broker import Broker, running_broker
from tests.deploy.cluster_secrets import Secrets, make_secrets
from tests.deploy.rendered import overlay


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    return make_secrets()


@pytest.fixture(scope="session")
def broker(secrets: Secrets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker of the laptop's overlay: one server. What it lets whom say is the same in all."""
    with running_broker(overlay("laptop"), secrets, tmp_path_factory.mktemp("broker")) as running:
        yield running
