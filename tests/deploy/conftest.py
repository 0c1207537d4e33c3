"""The Secrets and the broker of the manifests, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.broker import Broker, running_broker
from tests.deploy.cluster_secrets import Secrets, make_secrets
from tests.deploy.rendered import overlay
from tests.deploy.store_servers import Store, running_postgres, running_valkey


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    return make_secrets()


@pytest.fixture(scope="session")
def broker(secrets: Secrets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker of the laptop's overlay: one server. What it lets whom say is the same in all."""
    with running_broker(overlay("laptop"), secrets, tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="session")
def store(secrets: Secrets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Valkey as the manifests run it."""
    with running_valkey(secrets, tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture(scope="session")
def tables(secrets: Secrets) -> Iterator[Store]:
    """PostgreSQL as the manifests run it, its volume empty: no tables yet."""
    with running_postgres(secrets) as running:
        yield running
