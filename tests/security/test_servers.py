"""The servers behind are spoken to by TLS or not at all, and no answer sends us elsewhere (S12, S16)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import certifi
import pytest
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import create_async_engine

from dialtone.bus import WorkError
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import StoreUnavailable
from dialtone.gateway.stores.redis_link import RedisLink
from dialtone.llm.backends.openai import OpenAiBackend
from dialtone.llm.model_entry import ModelEntry
from dialtone.settings import ServiceSettings
from dialtone.vendors import http
from tests.fixtures.chat_server import API_KEY, ChatServer, Reply
from tests.fixtures.tls import Authority, TlsFront
from tests.llm.conversations import read, turn

from .test_tls import WRONG

TLS_HANDSHAKE, SSL_REQUEST = 0x16, bytes.fromhex("0000000804d2162f")
NATS, REDIS = "tls://nats.example:4222", "rediss://valkey.example"
POSTGRES = "postgresql+asyncpg://dialtone:s3cret@sql.example/dialtone"


@asynccontextmanager
async def pretending(answer: Callable[[bytes], bytes]) -> AsyncIterator[tuple[int, bytearray]]:
    """A server without TLS: its port, and all that it hears."""
    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(4096):
            heard.extend(chunk)
            writer.write(answer(chunk))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()


async def test_a_redis_without_tls_hears_no_password() -> None:
    async with pretending(lambda _: b"-ERR Protocol error\r\n") as (port, heard):
        link = RedisLink(f"rediss://:s3cret@127.0.0.1:{port}", timeout_s=1.0)
        with pytest.raises(StoreUnavailable):
            await link.run(lambda redis: redis.ping())
        await link.close()
    assert heard[0] == TLS_HANDSHAKE
    assert b"s3cret" not in heard


async def test_a_postgres_without_tls_hears_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", certifi.where())
    async with pretending(lambda _: b"N") as (port, heard):
        url = f"postgresql+asyncpg://dialtone:s3cret@127.0.0.1:{port}/dialtone?ssl=verify-full"
        engine = create_async_engine(url)
        with pytest.raises(ConnectionError):
            async with engine.connect():
                pass
        await engine.dispose()
    assert heard == SSL_REQUEST


@pytest.mark.parametrize(
    ("servers", "named"),
    [
        ({"nats_url": "nats://nats.example:4222"}, "NATS_URL"),
        ({"nats_url": f"{NATS},nats://other.example"}, "NATS_URL"),
        ({"redis_url": "redis://valkey.example"}, "REDIS_URL"),
        ({"redis_url": f"{REDIS}?ssl_cert_reqs=none"}, "REDIS_URL"),
        ({"database_url": POSTGRES}, "DATABASE_URL"),
        ({"database_url": f"{POSTGRES}?ssl=prefer"}, "DATABASE_URL"),
        ({"database_url": f"{POSTGRES}?ssl=require"}, "DATABASE_URL"),
    ],
)
def test_where_tls_is_required_nothing_else_is_started_with(servers: dict[str, str], named: str) -> None:
    good = {"nats_url": NATS, "redis_url": REDIS, "database_url": f"{POSTGRES}?ssl=verify-full"}
    GatewaySettings.model_validate(good | {"require_tls": True})
    with pytest.raises(ValidationError, match=f"REQUIRE_TLS.*{named}") as refused:
        GatewaySettings.model_validate(good | servers | {"require_tls": True})
    assert "s3cret" not in str(refused.value)
    GatewaySettings.model_validate(good | servers)
    if named == "NATS_URL":
        with pytest.raises(ValidationError, match="REQUIRE_TLS"):
            ServiceSettings.model_validate(servers | {"require_tls": True})


@pytest.fixture
def trusting(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """The CA that this process trusts, and no other."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    http._tls.cache_clear()
    yield authority
    http._tls.cache_clear()


async def test_a_model_server_that_does_not_prove_who_it_is_hears_neither_key_nor_words(
    chat_server: ChatServer, trusting: Authority
) -> None:
    port = int(chat_server.url.split(":")[2].partition("/")[0])
    async with TlsFront(trusting, port) as front:
        fields = {"backend": "openai", "base_url": f"https://127.0.0.1:{front.port}/v1", "api_key": API_KEY}
        for shown in (*WRONG, "good"):
            front.shows = shown
            backend = OpenAiBackend(ModelEntry.model_validate(fields))  # another, for each has its breaker
            if shown == "good":
                assert front.passed_on == 0
                assert await read(backend.stream(turn("Hi")))
            else:
                with pytest.raises(WorkError) as refused:
                    await read(backend.stream(turn("Hi")))
                assert refused.value.code == "upstream_unreachable"
            await backend.close()
        assert API_KEY.encode() not in front.in_clear


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_model_server_cannot_send_us_elsewhere(chat_server: ChatServer, status: int) -> None:
    async with pretending(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (port, heard):
        elsewhere = {"Location": f"http://127.0.0.1:{port}/latest/meta-data"}
        chat_server.script += [Reply([b""], status=status, headers=elsewhere)] * 3
        fields = {"backend": "openai", "base_url": chat_server.url, "api_key": API_KEY}
        backend = OpenAiBackend(ModelEntry.model_validate(fields))
        with pytest.raises(WorkError):
            await read(backend.stream(turn("Hi")))
        await backend.close()
    assert heard == b""
