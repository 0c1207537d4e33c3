"""Pages in a browser come in where the operator named them, and nowhere else (S1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.fixtures.gateway import KEY, Gateway, running_gateway

OURS = "https://app.example"
STRANGE = [
    "https://evil.example",
    "null",
    "https://app.example.evil",
    "https://app.example:444",
    "http://app.example",
    "https://APP.example",
    "",
]
PATHS = ["/v1/realtime?model=default", "/chat/voice_call", "/nowhere"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Without keys, for the pages of one origin."""
    with running_gateway(tmp_path_factory.mktemp("pages"), ALLOWED_ORIGINS=OURS) as gateway:
        yield gateway


async def refused(url: str, headers: list[tuple[str, str]]) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refusal:
        await connect(url, additional_headers=headers)
    response = refusal.value.response
    return response.status_code, json.loads(response.body or b"")["error"]["code"]


@pytest.mark.parametrize("origin", STRANGE)
async def test_no_other_page_opens_a_socket_or_is_answered(gateway: Gateway, origin: str) -> None:
    for path in PATHS:
        answer = await refused(gateway.socket_url + path, [("Origin", origin)])
        assert answer == (403, "origin_not_allowed")
    async with httpx.AsyncClient(base_url=gateway.url, headers={"Origin": origin}) as http:
        for answered in (await http.post("/v1/sessions", json={}), await http.get("/v1/sessions")):
            assert answered.status_code == 403
            assert answered.json()["error"]["code"] == "origin_not_allowed"


async def test_a_second_origin_does_not_hide_behind_a_right_one(gateway: Gateway) -> None:
    headers = [("Origin", OURS), ("Origin", STRANGE[0])]
    with pytest.raises(InvalidStatus) as refusal:
        await connect(gateway.socket_url + PATHS[0], additional_headers=headers)
    assert refusal.value.response.status_code == 400
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers) as http:
        assert (await http.get("/v1/sessions")).status_code == 403


async def test_the_page_that_was_named_and_programs_come_in(gateway: Gateway) -> None:
    for headers in ({"Origin": OURS}, {}):
        async with connect(gateway.socket_url + PATHS[0], additional_headers=headers) as socket:
            assert json.loads(await socket.recv())["type"] == "session.created"


async def test_a_key_does_not_let_a_page_in(guarded_gateway: Gateway) -> None:
    headers = [("Origin", OURS), ("Authorization", f"Bearer {KEY}")]
    answer = await refused(guarded_gateway.socket_url + PATHS[0], headers)
    assert answer == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "evil.example", "localhost.evil.example", "127.0.0.1.x"]
)
async def test_a_page_whose_name_was_made_to_point_here_is_not_answered(gateway: Gateway, host: str) -> None:
    """Such a page asks its own server, as the browser sees it, and sends no Origin."""
    async with httpx.AsyncClient(base_url=gateway.url, headers={"Host": host}) as http:
        answer = await http.get("/v1/sessions")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:80", "[::1]:8000", "[::1]"])
async def test_the_names_of_this_machine_are_answered_to(gateway: Gateway, host: str) -> None:
    async with httpx.AsyncClient(base_url=gateway.url, headers={"Host": host}) as http:
        assert (await http.get("/v1/sessions")).status_code == 200


async def test_where_there_are_keys_a_gateway_may_have_any_name(guarded_gateway: Gateway) -> None:
    headers = {"Host": "voice.example", "Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=guarded_gateway.url, headers=headers) as http:
        assert (await http.get("/v1/sessions")).status_code == 200


async def test_the_gateways_own_page_comes_in_by_the_name_it_was_asked_for(gateway: Gateway) -> None:
    own, port = gateway.url, gateway.url.rpartition(":")[2]
    async with connect(gateway.socket_url + PATHS[0], additional_headers={"Origin": own}) as socket:
        assert json.loads(await socket.recv())["type"] == "session.created"
    async with httpx.AsyncClient(base_url=own) as http:
        for origin, host, status in (
            (own, own.removeprefix("http://"), 200),
            (f"http://localhost:{port}", f"localhost:{port}", 200),
            (f"http://localhost:{port}", f"127.0.0.1:{port}", 403),  # another page of this machine
            (f"http://127.0.0.1:{int(port) + 1}", f"127.0.0.1:{port}", 403),
            ("http://evil.example", "evil.example", 403),
        ):
            answer = await http.get("/v1/sessions", headers={"Origin": origin, "Host": host})
            assert answer.status_code == status, (origin, host)


def test_where_no_page_is_served_none_is_the_gateways_own(tmp_path: Path) -> None:
    with running_gateway(tmp_path, SERVE_PAGE="false") as gateway:
        assert httpx.get(gateway.url).status_code == 404
        answer = httpx.get(f"{gateway.url}/v1/sessions", headers={"Origin": gateway.url})
        assert answer.json()["error"]["code"] == "origin_not_allowed"
