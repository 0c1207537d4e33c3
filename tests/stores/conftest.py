from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from dialtone.gateway.core.items import Item, MessageItem, OutputText, SessionRecord
from dialtone.gateway.core.session import Extensions, SessionConfig
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import Stores, open_stores
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.valkey import ValkeyServer
from tests.stores.databases import Database, PostgresDatabase, SqliteFile

OpenStores = Callable[[], Awaitable[Stores]]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    found: Database
    if request.param == "sqlite":
        found = SqliteFile(tmp_path)
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        found = PostgresDatabase(server)
    yield found
    found.start()


@pytest.fixture
async def open_more(valkey: ValkeyServer, database: Database) -> AsyncIterator[OpenStores]:
    """Opens stores as one more gateway would; all are closed in the end."""
    opened: list[Stores] = []

    async def open_one() -> Stores:
        settings = GatewaySettings(
            redis_url=valkey.url, database_url=database.url, sql_timeout_s=1.0, outbox_entries=50
        )
        opened.append(await open_stores(settings))
        return opened[-1]

    yield open_one
    for stores in opened:
        await stores.close(deadline_s=0.1)
    await asyncio.to_thread(_wait_for_sqlite)


def _wait_for_sqlite() -> None:
    """The thread of a connection that was given up ends by itself, and tells a loop that has to be there."""
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(10)


@pytest.fixture
async def stores(open_more: OpenStores) -> Stores:
    return await open_more()


def message(item_id: str, text: str = "hello") -> Item:
    return MessageItem(id=item_id, role="assistant", content=[OutputText(text)])


def record(session_id: str = "sess_1", tenant: str = "default", *items: Item) -> SessionRecord:
    config = SessionConfig(instructions="讲中文 \x00 \U0001f600", dialtone=Extensions(temperature=0.3))
    return SessionRecord(session_id, tenant, time.time(), config, list(items))


def ids(found: SessionRecord | None) -> list[str]:
    assert found is not None
    return [item.id for item in found.items]
