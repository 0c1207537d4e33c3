"""What breaks inside is told to clients in words that say nothing of the inside (S23)."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.fixtures.gateway import Gateway, running_gateway

REALTIME = "/v1/realtime?model=default"
# What would tell of the code, the machine, or the servers behind: words of theirs, paths, addresses.
INSIDE = re.compile(
    r"Traceback|File \"|\.py\b|/tmp/|/root|/home|site-packages|sqlite|sqlalchemy|SELECT|no such table"
    r"|redis|valkey|nats|JetStream|127\.0\.0\.1|\b\d{4,5}\b(?= port)|0x[0-9a-f]{6,}|uvicorn|Exception|Errno",
    re.IGNORECASE,
)
CANARY = "the walrus paid with 4929 1234"
SAID = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": CANARY}]}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    short = {"BUS_AWAY_S": "1", "WORK_CLAIM_TIMEOUT_LLM_S": "1", "WORK_CLAIM_TIMEOUT_ASR_S": "1"}
    with running_gateway(tmp_path, **short) as gateway:
        yield gateway


def clean(text: str) -> str:
    found = INSIDE.search(text)
    assert found is None, (found, text[:1000])
    return text


async def until(socket: ClientConnection, *kinds: str) -> dict[str, object]:
    async with asyncio.timeout(20):
        while True:
            message: dict[str, object] = json.loads(clean(str(await socket.recv())))
            if message["type"] in kinds:
                return message


async def test_a_broken_database_is_no_news_for_clients_and_what_was_said_none_for_the_log(
    gateway: Gateway, tmp_path: Path
) -> None:
    async with connect(gateway.socket_url + REALTIME) as socket:
        await until(socket, "session.created")
        in_database(
            tmp_path, "CREATE TRIGGER t BEFORE INSERT ON items BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )
        await socket.send(json.dumps({"type": "conversation.item.create", "item": SAID}))
        told = {str((await until(socket, "conversation.item.done", "error"))["type"]) for _ in range(2)}
        assert told == {"conversation.item.done", "error"}  # the item is done in the call, and not stored
        assert "broken" in gateway.log.read_text()
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        lost = 'dialtone_store_outbox_lost_total{reason="refused"} 1.0'
        assert lost in (await http.get("/metrics")).text
    in_database(tmp_path, "DROP TABLE sessions")
    for path in ("/v1/sessions", "/v1/sessions/sess_1"):
        answer = await _get(gateway, path)
        assert answer.status_code >= 500
        clean(answer.text + str(answer.headers))
    assert CANARY not in gateway.log.read_text()


def in_database(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "gateway.db") as database:
        database.execute(statement)


async def _get(gateway: Gateway, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        return await http.get(path)


async def test_a_broker_that_dies_is_no_news_for_clients(gateway: Gateway) -> None:
    async with connect(gateway.socket_url + REALTIME) as socket:
        await until(socket, "session.created")
        gateway.nats.kill()
        await socket.send(json.dumps({"type": "conversation.item.create", "item": SAID}))
        await socket.send('{"type": "response.create"}')
        await until(socket, "response.done", "error")
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": "AAAA" * 1000}))
        with suppress(ConnectionClosed):
            await until(socket, "error")
        clean(socket.close_reason or "")
    with pytest.raises(InvalidStatus) as refused:
        await connect(gateway.socket_url + REALTIME)
    assert refused.value.response.status_code == 503
    clean((refused.value.response.body or b"").decode() + str(refused.value.response.headers))


async def test_a_store_that_dies_is_no_news_for_clients(gateway: Gateway) -> None:
    async with connect(gateway.socket_url + REALTIME) as socket:
        await until(socket, "session.created")
        gateway.valkey.kill()
        await socket.send(json.dumps({"type": "conversation.item.create", "item": SAID}))
        await until(socket, "conversation.item.done")
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        answer = await http.post("/v1/realtime/client_secrets", json={})
    assert answer.status_code == 503
    clean(answer.text + str(answer.headers))
    for path in (REALTIME, f"{REALTIME}&session_id=sess_1"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(gateway.socket_url + path)
        assert refused.value.response.status_code == 503
        clean((refused.value.response.body or b"").decode() + str(refused.value.response.headers))
