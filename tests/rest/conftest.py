from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from dialtone.bus import Bus
from dialtone.gateway.audit import Audit
from dialtone.gateway.rest.auth import ApiKeys
from dialtone.gateway.rest.errors import install_error_handlers
from dialtone.gateway.rest.sessions import create_sessions_router
from dialtone.gateway.runtime.switchboard import Switchboard
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import Stores, open_stores
from dialtone.settings import BusSettings
from tests.fixtures.nats import NatsServer
from tests.fixtures.valkey import ValkeyServer

ACME_KEY = "acme-key-0123456789"
DEFAULT_KEY = "plain-key-0123456789"


@pytest.fixture
def settings(valkey: ValkeyServer, tmp_path: Path) -> GatewaySettings:
    return GatewaySettings(
        redis_url=valkey.url,
        database_url=f"sqlite+aiosqlite:///{tmp_path}/sessions.db",
        max_body_bytes=100_000,
        sql_timeout_s=1.0,
    )


@pytest.fixture
async def stores(settings: GatewaySettings) -> AsyncIterator[Stores]:
    stores = await open_stores(settings)
    yield stores
    await stores.close(deadline_s=0.1)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("rest-nats"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def switchboard(
    stores: Stores, settings: GatewaySettings, broker: NatsServer
) -> AsyncIterator[Switchboard]:
    bus = await Bus.connect(BusSettings(nats_url=broker.url), name="test")
    yield Switchboard(settings, bus, stores.sessions, stores.calls)
    await bus.close()


def app_of(stores: Stores, settings: GatewaySettings, switchboard: Switchboard) -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(
        create_sessions_router(stores.sessions, switchboard.owners, ApiKeys(settings), settings, Audit())
    )
    return app


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


@pytest.fixture
async def client(
    stores: Stores, settings: GatewaySettings, switchboard: Switchboard
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of a gateway that is open to everybody."""
    async with client_of(app_of(stores, settings, switchboard)) as client:
        yield client


@pytest.fixture
async def guarded(
    stores: Stores, settings: GatewaySettings, switchboard: Switchboard
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of a gateway that has keys."""
    keys = (SecretStr(f"acme:{ACME_KEY}"), SecretStr(DEFAULT_KEY))
    guarded = settings.model_copy(update={"api_keys": keys})
    async with client_of(app_of(stores, guarded, switchboard)) as client:
        yield client
