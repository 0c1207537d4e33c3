"""Who has no key, or another's, gets nothing, learns nothing and leaves no trace (S2, S3, S6, S22)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import httpx
import nats
import pytest
from nats.aio.msg import Msg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from dialtone.gateway.ids import new_id
from tests.fixtures.gateway import KEY, OTHER_KEY, Gateway, running_gateway
from tests.fixtures.waiting import eventually

REALTIME = "/v1/realtime"
OWNER = {"Authorization": f"Bearer {KEY}"}
STRANGER = {"Authorization": f"Bearer {OTHER_KEY}"}
CANARY = "canary-5Gq81ZkWv0"
WRONG = [
    {},
    {"Authorization": f"Bearer {CANARY}"},
    {"Authorization": f"Bearer ek_{CANARY}"},
    {"Authorization": f"Basic {CANARY}"},
    {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhY21lIn0."},  # a token that signs itself
    {"api-key": CANARY},
]
UNNAMEABLE = ["*", ">", "a.b", "a b", "a\r\nb", "a\x00b", "\x1b[31m", '{"level":"error"}', "é", "x" * 100]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """With the keys of two tenants, each of which may have two calls."""
    settings = {"API_KEYS": f"acme:{KEY},{OTHER_KEY}", "MAX_CALLS_PER_TENANT": "2", "LOG_LEVEL": "debug"}
    with running_gateway(tmp_path_factory.mktemp("strangers"), **settings) as gateway:
        yield gateway


@pytest.fixture
async def session_id(gateway: Gateway) -> AsyncIterator[str]:
    """A session of the owner's, that has a live call."""
    async with connect(gateway.socket_url + REALTIME, additional_headers=OWNER) as socket:
        yield json.loads(await socket.recv())["session"]["id"]
        await socket.send('{"type": "input_audio_buffer.clear"}')
        assert json.loads(await socket.recv())["type"] == "input_audio_buffer.cleared"


async def handshake(gateway: Gateway, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """The answer to a handshake that is refused."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(gateway.socket_url + path, additional_headers=headers)
    return refused.value.response.status_code, (refused.value.response.body or b"").decode()


async def named(gateway: Gateway, session_id: str, headers: dict[str, str]) -> str:
    """All that comes to a voice call that names this session, and the close code."""
    url = f"{gateway.socket_url}/chat/voice_call"
    async with connect(url, additional_headers=headers) as socket:
        await socket.send(json.dumps({"audio": "", "meta_info": {"session_id": session_id}}))
        return await _all(socket)


async def _all(socket: ClientConnection) -> str:
    came = ""
    try:
        async with asyncio.timeout(10):
            while True:
                came += str(await socket.recv())
    except ConnectionClosed as closed:
        return f"{came} {closed.rcvd and closed.rcvd.code}"


@pytest.mark.parametrize("path", [REALTIME, "/chat/voice_call"])
async def test_without_a_key_no_socket_is_opened_and_nothing_happens_inside(
    gateway: Gateway, path: str
) -> None:
    said: list[str] = []

    async def hear(message: Msg) -> None:
        if not message.subject.startswith(
            ("$", "_INBOX.")
        ):  # what the broker and its clients say by themselves
            said.append(message.subject)

    async def heard() -> bool:
        return bool(said)

    spy = await nats.connect(gateway.nats.url)
    await spy.subscribe(">", cb=hear)
    await spy.flush()
    for headers in WRONG:
        status, body = await handshake(gateway, path, headers)
        assert status == 401
        assert json.loads(body)["error"]["code"] == "invalid_api_key"
    await spy.flush()
    assert said == []
    async with connect(gateway.socket_url + REALTIME, additional_headers=OWNER) as socket:
        await socket.recv()
        await socket.send('{"type": "response.create"}')
        await eventually(heard)  # a call is heard there
    await spy.close()


async def test_a_session_of_another_is_to_a_stranger_as_one_that_is_not_there(
    gateway: Gateway, session_id: str
) -> None:
    nobodys = new_id("sess")

    async def seen(asked: str) -> list[object]:
        got: list[object] = [
            await handshake(gateway, f"{REALTIME}?session_id={asked}", STRANGER),
            await named(gateway, asked, STRANGER),
        ]
        async with httpx.AsyncClient(base_url=gateway.url, headers=STRANGER) as http:
            secret = {"dialtone": {"session_id": asked}}
            answers = [
                await http.get(f"/v1/sessions/{asked}"),
                await http.patch(f"/v1/sessions/{asked}", json={}),
                await http.delete(f"/v1/sessions/{asked}"),
                await http.post("/v1/realtime/client_secrets", json=secret),
            ]
        got += [(answer.status_code, answer.text) for answer in answers]
        assert {answer.status_code for answer in answers} == {404}
        return [str(one).replace(asked, "ID") for one in got]

    assert await seen(session_id) == await seen(nobodys)
    async with httpx.AsyncClient(base_url=gateway.url, headers=STRANGER) as http:
        assert (await http.get("/v1/sessions")).json()["data"] == []


@pytest.mark.parametrize("wild", UNNAMEABLE, ids=range(len(UNNAMEABLE)))
async def test_what_is_no_id_reaches_neither_store_nor_bus(gateway: Gateway, wild: str) -> None:
    status, _ = await handshake(gateway, f"{REALTIME}?session_id={quote(wild)}", STRANGER)
    assert status == 404
    assert '"code":404' in await named(gateway, wild, STRANGER)
    async with httpx.AsyncClient(base_url=gateway.url, headers=STRANGER) as http:
        assert (await http.get(f"/v1/sessions/{quote(wild, safe='')}")).status_code == 404


async def test_one_tenants_calls_leave_room_for_anothers(gateway: Gateway) -> None:
    def call(headers: dict[str, str]) -> connect:
        return connect(gateway.socket_url + REALTIME, additional_headers=headers)

    async with call(OWNER) as first, call(OWNER) as second:
        await first.recv()
        await second.recv()
        for path in (REALTIME, "/chat/voice_call"):
            status, body = await handshake(gateway, path, OWNER)
            assert (status, json.loads(body)["error"]["code"]) == (429, "too_many_calls")
        async with call(STRANGER) as third:
            assert json.loads(await third.recv())["type"] == "session.created"


async def test_no_secret_and_no_line_of_a_clients_own_gets_into_the_log(gateway: Gateway) -> None:
    forged = '\r\n{"event":"FORGED","level":"error"}\r\n\x1b[31mFORGED'
    for headers in WRONG:
        for path in (f"{REALTIME}?token={CANARY}&api_key={CANARY}", f"/chat/voice_call?key={CANARY}"):
            await handshake(gateway, path, headers)
    with pytest.raises(InvalidStatus):
        await connect(
            gateway.socket_url + REALTIME,
            subprotocols=[Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{CANARY}")],
        )
    async with httpx.AsyncClient(base_url=gateway.url, headers=OWNER) as http:
        secret = (await http.post("/v1/realtime/client_secrets", json={})).json()["value"]
        await http.get(f"/v1/sessions/{quote(forged, safe='')}?token={CANARY}")
        await http.get("/v1/sessions", headers={"User-Agent": f"x {CANARY}", "X-Request-Id": CANARY})
        metrics = (await http.get("/metrics")).text
    await named(gateway, forged, OWNER)
    async with connect(
        gateway.socket_url + f"{REALTIME}?model={quote(forged)}",
        additional_headers={"Authorization": f"Bearer {secret}"},
    ) as socket:
        await socket.send(forged)
        await socket.send(json.dumps({"type": forged, "event_id": forged}))
        for _ in range(3):
            await socket.recv()
    log = gateway.log.read_text()
    for secret_text in (CANARY, KEY, OTHER_KEY, secret, "FORGED"):
        assert secret_text not in log + metrics
    assert [line for line in log.splitlines() if "event" not in json.loads(line)] == []
