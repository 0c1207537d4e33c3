"""Whoever names a session that is not his is seen by the operator, and a flood of it fills no log (S6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from dialtone.gateway.ids import new_id
from tests.fixtures.gateway import KEY, OTHER_KEY, Gateway, running_gateway

REALTIME = "/v1/realtime"
EVENT = "a session was named that is not the client's"
OWNER = {"Authorization": f"Bearer {KEY}"}
STRANGER = {"Authorization": f"Bearer {OTHER_KEY}"}
FLOOD = 100
BURST = 15  # lines of one tenant at once
ASKED = (
    "client_secrets.create",
    "realtime.resume",
    "sessions.change",
    "sessions.delete",
    "sessions.read",
    "voice_call.resume",
)


@pytest.fixture
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Of its own for each test: what one leaves in the log is not in the next one's way."""
    with running_gateway(tmp_path_factory.mktemp("audit"), API_KEYS=f"acme:{KEY},{OTHER_KEY}") as gateway:
        yield gateway


def lines(gateway: Gateway) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    return [line for line in read if line["event"] == EVENT]


async def refused(gateway: Gateway, path: str, headers: dict[str, str]) -> int:
    with pytest.raises(InvalidStatus) as answer:
        await connect(gateway.socket_url + path, additional_headers=headers)
    return answer.value.response.status_code


async def named_everywhere(gateway: Gateway, asked: str) -> None:
    """By a stranger, in every way in which a session can be named."""
    assert await refused(gateway, f"{REALTIME}?session_id={asked}", STRANGER) == 404
    async with connect(f"{gateway.socket_url}/chat/voice_call", additional_headers=STRANGER) as socket:
        await socket.send(json.dumps({"audio": "", "meta_info": {"session_id": asked}}))
        assert json.loads(await socket.recv())["code"] == 404
        await socket.wait_closed()
    async with httpx.AsyncClient(base_url=gateway.url, headers=STRANGER) as http:
        path, secret = f"/v1/sessions/{asked}", {"dialtone": {"session_id": asked}}
        answers = [
            await http.get(path),
            await http.patch(path, json={"instructions": "Whisper."}),
            await http.delete(path),
            await http.post("/v1/realtime/client_secrets", json=secret),
        ]
    assert {answer.status_code for answer in answers} == {404}


async def counted(gateway: Gateway) -> dict[str, float]:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        text = (await http.get("/metrics")).text
    rows = [line for line in text.splitlines() if line.startswith("dialtone_gateway_foreign_sessions_total{")]
    return {row.split('"')[1]: float(row.rpartition(" ")[2]) for row in rows}


async def test_who_names_a_session_that_is_not_his_leaves_one_line_each_time_and_is_counted(
    gateway: Gateway,
) -> None:
    assert await counted(gateway) == dict.fromkeys(ASKED, 0.0)
    async with httpx.AsyncClient(base_url=gateway.url, headers=OWNER) as http:
        theirs = (await http.post("/v1/sessions", json={})).json()["id"]
        assert (await http.get(f"/v1/sessions/{theirs}")).status_code == 200
    assert lines(gateway) == []  # whose it is leaves none
    for named in (theirs, new_id("sess")):
        await named_everywhere(gateway, named)
    found = lines(gateway)
    assert sorted(line["asked"] for line in found) == sorted(ASKED * 2)
    for line in found:
        assert line["tenant"] == "default"
        assert line["address"] == "127.0.0.1"
        assert line["level"] == "warning"
        assert line["left_out"] == 0
    # Of one that is there and of one that is not the lines are the same.
    shown = [{k: v for k, v in line.items() if k not in ("timestamp", "ts", "time")} for line in found]
    assert shown[: len(ASKED)] == shown[len(ASKED) :]
    assert await counted(gateway) == dict.fromkeys(ASKED, 2.0)
    log = gateway.log.read_text()
    for secret in (KEY, OTHER_KEY, "Whisper"):
        assert secret not in log


async def test_a_secret_for_another_session_is_seen_too(gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=gateway.url, headers=OWNER) as http:
        secret = (await http.post("/v1/realtime/client_secrets", json={})).json()["value"]
    holder = {"Authorization": f"Bearer {secret}"}
    assert await refused(gateway, f"{REALTIME}?session_id={new_id('sess')}", holder) == 403
    (line,) = lines(gateway)
    assert (line["tenant"], line["asked"]) == ("acme", "realtime.resume")
    assert secret not in gateway.log.read_text()


async def test_a_flood_fills_no_log_and_hides_nobody_else(gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        for _ in range(FLOOD):
            await http.get(f"/v1/sessions/{new_id('sess')}", headers=STRANGER)
        await http.get(f"/v1/sessions/{new_id('sess')}", headers=OWNER)
    found = lines(gateway)
    flooded = [line for line in found if line["tenant"] == "default"]
    # One more for each second that the flood took, on a slow machine.
    assert BURST <= len(flooded) < FLOOD / 2
    assert [line["tenant"] for line in found].count("acme") == 1
    assert (await counted(gateway))["sessions.read"] == FLOOD + 1
