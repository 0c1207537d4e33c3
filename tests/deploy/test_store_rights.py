"""What the gateway may do in the stores of the manifests: what it has to, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
import redis.exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from dialtone.gateway.core.items import MessageItem, OutputText, SessionRecord
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import Claim, Stores, open_stores
from tests.deploy.broker import Broker
from tests.deploy.cluster_secrets import Secrets
from tests.deploy.service_environment import service_environment
from tests.deploy.store_servers import Store


@pytest.fixture(scope="module")
def settings(
    secrets: Secrets, broker: Broker, store: Store, tables: Store, tmp_path_factory: pytest.TempPathFactory
) -> GatewaySettings:
    """Those of a gateway whose tables were migrated as the manifests do it."""
    folder = tmp_path_factory.mktemp("gateway")
    before = service_environment("gateway", secrets, broker, store, tables, folder, init=True)
    command = [sys.executable, "-m", "dialtone.gateway.migrate"]
    subprocess.run(command, env=before, timeout=60, check=True)
    variables = service_environment("gateway", secrets, broker, store, tables, folder)
    return GatewaySettings.model_validate({name.lower(): value for name, value in variables.items()})


@pytest.fixture(scope="module", autouse=True)
def trusted(broker: Broker) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGSSLROOTCERT", str(broker.ca_file))
        yield


@pytest.fixture
async def stores(settings: GatewaySettings) -> AsyncIterator[Stores]:
    opened = await open_stores(settings)
    yield opened
    await opened.close()


async def test_a_gateway_does_all_that_it_does_with_these_rights(stores: Stores) -> None:
    for ready in stores.readiness.values():
        assert await ready()
    session = SessionRecord("sess_1", "acme", time.time(), SessionConfig(), [])
    await stores.sessions.create(session)
    claim = await stores.calls.claim("acme", "sess_1", call_id="call_1")
    assert claim is not None
    epoch = await stores.sessions.fence("acme", "sess_1", claim)
    await stores.calls.beat()
    assert await stores.calls.beat()
    assert await stores.calls.renew([Claim("acme", "sess_1", "call_1", epoch)]) == [True]
    item = MessageItem(id="item_1", role="assistant", content=[OutputText("hello")])
    await stores.sessions.put_item("acme", "sess_1", item, None, epoch=epoch)
    await stores.sessions.put_config("acme", "sess_1", SessionConfig(instructions="Be brief."), epoch=epoch)
    await stores.sessions.delete_item("acme", "sess_1", "item_1", epoch=epoch)
    made = await stores.secrets.mint("acme", seconds=60, config=None)
    assert await stores.secrets.find(made.value) is not None
    assert await stores.secrets.revoke("acme", made.id)
    assert await stores.sessions.get("acme", "sess_1") is not None
    assert await stores.sessions.get("other", "sess_1") is None
    assert (await stores.sessions.list("other", limit=10)).sessions == []
    assert await stores.calls.release("acme", "sess_1", call_id="call_1")
    await stores.calls.leave()
    assert await stores.sessions.delete("acme", "sess_1")


@asynccontextmanager
async def _redis(settings: GatewaySettings) -> AsyncIterator[Redis]:
    client = Redis.from_url(settings.redis_url)
    try:
        yield client
    finally:
        await client.aclose()


@pytest.mark.parametrize(
    "command",
    [
        *(
            "GET other",
            "SET other 1",
            "DEL other",
            "HGETALL celery",
            "KEYS *",
            "SCAN 0",
            "FLUSHALL",
            "FLUSHDB",
        ),
        *(
            "CONFIG GET *",
            "ACL LIST",
            "INFO",
            "MONITOR",
            "SHUTDOWN",
            "SAVE",
            "REPLICAOF a 1",
        ),
        *(
            "PUBLISH a b",
            "SUBSCRIBE a",
            "EVAL return{} 0",
            "SCRIPT FLUSH",
            "MODULE LIST",
            "RENAME dialtone:a b",
        ),
    ],
)
async def test_a_gateway_may_do_nothing_else_in_redis(settings: GatewaySettings, command: str) -> None:
    async with _redis(settings) as client:
        with pytest.raises(redis.exceptions.NoPermissionError):
            await client.execute_command(*command.split())  # type: ignore[no-untyped-call]  # of the library


async def test_a_script_may_not_do_what_its_gateway_may_not(settings: GatewaySettings) -> None:
    async with _redis(settings) as client:
        script = await client.script_load("return redis.call('GET', 'other')")
        with pytest.raises(redis.exceptions.ResponseError, match=r"(?i)permission"):
            await client.evalsha(script, 0)


@pytest.mark.parametrize("user", [{}, {"username": "default", "password": "x"}, {"username": "gateway"}])
async def test_nobody_is_let_into_redis_without_a_name(store: Store, user: dict[str, str]) -> None:
    client = Redis(port=store.port, host="127.0.0.1", retry=Retry(NoBackoff(), 0), **user)  # type: ignore[arg-type]
    with pytest.raises(redis.exceptions.AuthenticationError):
        await client.get("dialtone:x")
    await client.aclose()


@asynccontextmanager
async def _sql(settings: GatewaySettings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        settings.database_url.replace("+asyncpg", "").replace("ssl=", "sslmode=")
    )
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "DROP TABLE sessions",
        "ALTER TABLE sessions ADD COLUMN mine int",
        "TRUNCATE sessions",
        "CREATE ROLE mine",
        "CREATE SCHEMA mine",
        "CREATE TEMP TABLE mine (id int)",
        "COPY sessions TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT * FROM pg_authid",
        "SET ROLE dialtone",
    ],
)
async def test_a_gateway_may_change_rows_and_no_tables(settings: GatewaySettings, statement: str) -> None:
    async with _sql(settings) as connection:
        with pytest.raises(asyncpg.exceptions.InsufficientPrivilegeError):
            await connection.execute(statement)


@pytest.mark.parametrize(
    ("user", "ssl"), [("postgres", "require"), ("dialtone_gateway", "disable"), ("dialtone", "disable")]
)
async def test_the_network_reaches_two_roles_and_by_tls_alone(
    secrets: Secrets, tables: Store, user: str, ssl: str
) -> None:
    passwords = secrets.values["postgres"]
    key = {"postgres": "superuser", "dialtone_gateway": "gateway", "dialtone": "owner"}[user]
    with pytest.raises(
        asyncpg.exceptions.InvalidAuthorizationSpecificationError, match=r"no pg_hba\.conf entry"
    ):
        await asyncpg.connect(
            host="localhost",
            port=tables.port,
            user=user,
            password=passwords[key].decode(),
            database="dialtone",
            ssl=ssl if ssl == "require" else False,
        )
