"""Who has no key, or another's, gets nothing, learns nothing and leaves no trace (S2, S3, S6, S22)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from dialtone.gateway.ids import new_id
from tests.fixtures.gateway import KEY, OTHER_KEY, Gateway, running_gateway
from tests.fixtures.waiting import eventually
from tests.fuzz.raw import TEXT, frame
from tests.fuzz.raw import handshake as raw_handshake

from .inside import watching

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
    async with watching(gateway) as inside:
        for headers in WRONG:
            status, body = await handshake(gateway, path, headers)
            assert status == 401
            assert json.loads(body)["error"]["code"] == "invalid_api_key"
        assert await _first_line(gateway, path) == b"HTTP/1.1 401 Unauthorized"
        # Redis is asked for the secret that one of them may be, by its hash.
        seen = await inside.seen()
        assert [one for one in seen if not one.startswith("GET dialtone:secret:")] == []
        assert CANARY not in str(seen)

        async def heard() -> bool:
            return any(one.startswith("call.") for one in await inside.seen())

        async with connect(gateway.socket_url + REALTIME, additional_headers=OWNER) as socket:
            await socket.recv()
            await socket.send('{"type": "response.create"}')
            await eventually(heard)  # a call is heard there


async def _first_line(gateway: Gateway, path: str) -> bytes:
    """Of the answer to one who does not wait for it, and sends what a call would take."""
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(raw_handshake(path) + frame(TEXT, b'{"type": "response.create"}') * 3)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert b"HTTP/1.1 101" not in answer
    return answer.partition(b"\r\n")[0]


QUERIES = ("key", "api_key", "api-key", "token", "access_token", "authorization", "client_secret")


async def test_a_right_key_in_the_address_is_none(gateway: Gateway) -> None:
    """Addresses end up in the logs of proxies, and in the histories of browsers."""
    for name in QUERIES:
        for path in (f"{REALTIME}?{name}={KEY}", f"/chat/voice_call?{name}={KEY}"):
            status, body = await handshake(gateway, path, {})
            assert (status, KEY in body) == (401, False)
        answer = await _asked(gateway, f"/v1/sessions?{name}={KEY}")
        assert (answer.status_code, KEY in answer.text) == (401, False)


async def _asked(gateway: Gateway, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        return await http.get(path)


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


async def test_items_of_another_are_to_a_stranger_as_ones_that_are_not_there(
    gateway: Gateway, session_id: str
) -> None:
    """In a call of its own, too, nothing names what is another's: neither its session nor what is in it."""
    theirs = {"session": session_id, "item": new_id("item"), "response": new_id("resp")}
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Mine"}]}
    async with connect(gateway.socket_url + REALTIME, additional_headers=OWNER) as owner:
        await owner.recv()
        create = {"type": "conversation.item.create", "item": {"id": theirs["item"], **said}}
        await owner.send(json.dumps(create))
        await _until(owner, "conversation.item.done")
        await owner.send('{"type": "response.create"}')
        theirs["response"] = (await _until(owner, "response.created"))["response"]["id"]
        seen = [await _named_in_frames(gateway, names) for names in (theirs, _nobodys())]
        assert seen[0] == seen[1]
        await owner.send(json.dumps({"type": "conversation.item.retrieve", "item_id": theirs["item"]}))
        kept = (await _until(owner, "conversation.item.retrieved"))["item"]
        assert kept["content"] == said["content"]
        await owner.send('{"type": "response.cancel"}')  # it was not cancelled yet
        assert (await _until(owner, "response.done"))["response"]["status"] == "cancelled"


def _nobodys() -> dict[str, str]:
    return {"session": new_id("sess"), "item": new_id("item"), "response": new_id("resp")}


async def _named_in_frames(gateway: Gateway, names: dict[str, str]) -> list[str]:
    """What a stranger is answered who names these in every frame that can name anything."""
    item, response, session = names["item"], names["response"], names["session"]
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
    reference = {"type": "item_reference", "id": item}
    frames: list[dict[str, Any]] = [
        {"type": "conversation.item.retrieve", "item_id": item},
        {"type": "conversation.item.delete", "item_id": item},
        {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 0},
        {"type": "conversation.item.create", "previous_item_id": item, "item": said},
        {"type": "response.create", "response": {"conversation": "none", "input": [reference]}},
        {"type": "response.cancel", "response_id": response},
        {"type": "output_audio_buffer.clear", "response_id": response},
        {"type": "session.update", "session": {"type": "realtime", "id": session}},
        {"type": "session.update", "session_id": session, "session": {"type": "realtime"}},
        {"type": "input_audio_buffer.clear", "session_id": session, "call_id": session},
    ]
    answers = []
    async with connect(gateway.socket_url + REALTIME, additional_headers=STRANGER) as socket:
        created = json.loads(await socket.recv())["session"]["id"]
        for sent in frames:
            await socket.send(json.dumps(sent))
            answer = json.loads(await asyncio.wait_for(socket.recv(), 10))
            answers.append(f"{sent['type']}: {answer['type']} {json.dumps(answer.get('error'))}")
            assert answer.get("session", {}).get("id", created) == created
    told = "\n".join(answers)
    for kind, name in names.items():
        told = told.replace(name, kind)
    return re.sub(r"(event|item|resp)_\w{22}", r"\1", told).splitlines()


async def _until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


@pytest.mark.parametrize("wild", UNNAMEABLE, ids=range(len(UNNAMEABLE)))
async def test_what_is_no_id_reaches_neither_store_nor_bus(gateway: Gateway, wild: str) -> None:
    async def ask(name: str) -> None:
        status, _ = await handshake(gateway, f"{REALTIME}?session_id={quote(name)}", STRANGER)
        assert status == 404
        assert '"code":404' in await named(gateway, name, STRANGER)
        async with httpx.AsyncClient(base_url=gateway.url, headers=STRANGER) as http:
            path = f"/v1/sessions/{quote(name, safe='')}"
            for method in ("GET", "PATCH", "DELETE"):
                asked = await http.request(method, path, json={} if method == "PATCH" else None)
                assert asked.status_code == 404
            secret = {"dialtone": {"session_id": name}}
            assert (await http.post("/v1/realtime/client_secrets", json=secret)).status_code == 404

    async with watching(gateway) as inside:
        await ask(wild)
        assert await inside.seen() == []
        nobodys = new_id("sess")
        await ask(nobodys)
        assert any(nobodys in one for one in await inside.seen())


async def test_an_id_of_a_megabyte_is_refused(gateway: Gateway) -> None:
    huge = "x" * 2**20
    async with watching(gateway) as inside:
        status, _ = await handshake(gateway, f"{REALTIME}?session_id={huge}", STRANGER)
        assert status == 400
        url = f"{gateway.socket_url}/chat/voice_call"
        async with connect(url, additional_headers=STRANGER) as socket:
            await socket.send(json.dumps({"audio": "", "meta_info": {"session_id": huge}}))
            assert json.loads(await socket.recv())["code"] == 500
        assert await inside.seen() == []


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
    answers = []
    for headers in WRONG:
        for path in (f"{REALTIME}?token={CANARY}&api_key={CANARY}", f"/chat/voice_call?key={CANARY}"):
            answers.append(await handshake(gateway, path, headers))
    with pytest.raises(InvalidStatus) as refused:
        await connect(
            gateway.socket_url + REALTIME,
            subprotocols=[Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{CANARY}")],
        )
    answers.append((401, f"{refused.value.response.headers} {refused.value.response.body!r}"))
    assert {status for status, _ in answers} == {401}
    assert CANARY not in str(answers)
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
