"""Only a server that proves who it is is spoken to, the first time and each time after that (S12)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from dialtone.bus import Bus
from dialtone.gateway.stores.archive import SqlArchive
from dialtone.gateway.stores.redis_link import RedisLink
from dialtone.settings import BusSettings
from tests.fixtures.nats import NatsServer
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.tls import SSL_REQUEST, Authority, Certificate, TlsFront
from tests.fixtures.valkey import ValkeyServer
from tests.fixtures.waiting import eventually

WRONG: list[Certificate | None] = ["expired", "of another CA", "of another name", None]
TLS_HANDSHAKE = 0x16
Answers = Callable[[], Awaitable[bool]]  # whether the server does, now


@dataclass(frozen=True, slots=True)
class Client:
    """One of the gateway's own clients of a server behind, in front of which a test has put TLS."""

    front: TlsFront
    connecting: Callable[[], AbstractAsyncContextManager[Answers]]
    first_bytes: bytes | int

    def heard_nothing_in_clear(self) -> bool:
        heard = bytes(self.front.in_clear)
        if isinstance(self.first_bytes, int):  # of a handshake, and of no other
            return heard == b"" or (heard[0] == self.first_bytes and b"s3cret" not in heard)
        return heard.replace(self.first_bytes, b"") == b""


@asynccontextmanager
async def _bus(front: TlsFront, ca: Path) -> AsyncIterator[Answers]:
    """Connects in the background: it waits for a broker as long as it takes."""
    settings = BusSettings(
        nats_url=f"tls://127.0.0.1:{front.port}",
        nats_user="user",
        nats_password=SecretStr("s3cret"),
        nats_ca_file=ca,
    )
    connecting = asyncio.create_task(Bus.connect(settings, name="test"))

    async def answers() -> bool:
        return connecting.done() and (await connecting).connected

    try:
        yield answers
    finally:
        if connecting.done():
            await (await connecting).close()
        connecting.cancel()
        await asyncio.wait({connecting})


@asynccontextmanager
async def _redis(front: TlsFront, ca: Path) -> AsyncIterator[Answers]:
    link = RedisLink(f"rediss://127.0.0.1:{front.port}/0?ssl_ca_certs={ca}", timeout_s=2.0)
    try:
        yield link.ready
    finally:
        await link.close()


@asynccontextmanager
async def _postgres(front: TlsFront, url: str) -> AsyncIterator[Answers]:
    archive = SqlArchive(url.format(port=front.port), timeout_s=2.0)
    try:
        yield archive.ready
    finally:
        await archive.close()


@pytest.fixture(params=["nats", "redis", "postgresql"])
async def client(
    request: pytest.FixtureRequest, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    if request.param == "nats":
        broker: NatsServer = request.getfixturevalue("nats_server")
        async with TlsFront(authority, broker.port) as front:
            yield Client(front, partial(_bus, front, authority.ca), TLS_HANDSHAKE)
    elif request.param == "redis":
        valkey: ValkeyServer = request.getfixturevalue("valkey")
        async with TlsFront(authority, valkey.port) as front:
            yield Client(front, partial(_redis, front, authority.ca), TLS_HANDSHAKE)
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new_database().replace(str(server.port), "{port}") + "?ssl=verify-full"
        monkeypatch.setenv("PGSSLROOTCERT", str(authority.ca))
        async with TlsFront(authority, server.port, asked_first=True) as front:
            yield Client(front, partial(_postgres, front, url), SSL_REQUEST)


async def refuses(client: Client, answers: Answers) -> None:
    """Whatever it tries now, it gives nothing away."""
    before, passed_on = client.front.connections, client.front.passed_on

    async def tried() -> bool:
        assert not await answers()
        return client.front.connections >= before + 2

    await eventually(tried, within_s=20)
    assert client.front.passed_on == passed_on
    assert client.heard_nothing_in_clear()


async def noticed(answers: Answers) -> bool:
    return not await answers()


@pytest.mark.parametrize(
    "shown", [pytest.param(one, marks=() if one == "expired" else pytest.mark.chaos) for one in WRONG]
)
async def test_a_server_that_does_not_prove_who_it_is_is_told_nothing(
    client: Client, shown: Certificate | None
) -> None:
    client.front.shows = shown
    async with client.connecting() as answers:
        await refuses(client, answers)
        client.front.shows = "good"
        await eventually(answers, within_s=20)


async def test_nor_is_one_that_takes_its_place_later(client: Client) -> None:
    async with client.connecting() as answers:
        await eventually(answers, within_s=20)
        for shown in WRONG:
            client.front.shows = shown
            client.front.cut()
            await eventually(partial(noticed, answers), within_s=20)
            await refuses(client, answers)
        client.front.shows = "good"
        await eventually(answers, within_s=20)
