"""The handshake of `/v1/realtime`: who may enter, which dialect is spoken, and what is refused how."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.fixtures.gateway import KEY, OTHER_KEY, Gateway
from tests.fixtures.waiting import eventually

BEARER = {"Authorization": f"Bearer {KEY}"}
BETA = {"OpenAI-Beta": "realtime=v1"}


async def event(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        message: dict[str, Any] = json.loads(await socket.recv())
        return message


def opening(gateway: Gateway, query: str = "", headers: dict[str, str] = BEARER, *offered: str) -> connect:
    return connect(
        f"{gateway.socket_url}/v1/realtime{query}",
        additional_headers=headers,
        subprotocols=[Subprotocol(one) for one in offered] or None,
    )


async def refusal(opening: connect, status: int) -> dict[str, Any]:
    with pytest.raises(InvalidStatus) as refused:
        await opening
    response = refused.value.response
    assert response.status_code == status, response.body
    if status == 503:
        assert int(response.headers["Retry-After"]) > 0
    error: dict[str, Any] = json.loads(response.body or b"")["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert KEY not in str(response.headers) + str(response.body)
    return error


# --- who may enter


@pytest.mark.parametrize(
    ("headers", "offered"),
    [
        (BEARER, ()),
        ({"Authorization": f"bearer  {KEY}"}, ()),
        ({"api-key": KEY}, ()),
        ({}, ("realtime", f"openai-insecure-api-key.{KEY}")),
    ],
    ids=["bearer", "lower-case", "azure", "subprotocol"],
)
async def test_a_key_may_come_in_each_of_these_ways(
    guarded_gateway: Gateway, headers: dict[str, str], offered: tuple[str, ...]
) -> None:
    async with opening(guarded_gateway, "", headers, *offered) as socket:
        assert (await event(socket))["type"] == "session.created"


@pytest.mark.parametrize(
    ("headers", "offered"),
    [
        ({}, ()),
        ({"Authorization": "Bearer wrong-key-0123456789"}, ()),
        ({"Authorization": f"Basic {KEY}"}, ()),
        ({"Authorization": "Bearer ek_4fWbR1uZ0aQp9xLmKc2TnE"}, ()),
        ({"api-key": "wrong"}, ()),
        ({}, ("realtime", "openai-insecure-api-key.wrong")),
        ({}, ("realtime", f"openai-insecure-api-key.x.{KEY}")),
        ({}, ("realtime", "openai-insecure-api-key.ek_4fWbR1uZ0aQp9xLmKc2TnE")),
    ],
    ids=range(8),
)
async def test_without_a_right_key_the_handshake_is_refused(
    guarded_gateway: Gateway, headers: dict[str, str], offered: tuple[str, ...]
) -> None:
    error = await refusal(opening(guarded_gateway, "", headers, *offered), 401)
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")


async def test_the_subprotocol_that_carries_the_key_is_never_the_one_agreed_on(
    guarded_gateway: Gateway,
) -> None:
    key = f"openai-insecure-api-key.{KEY}"
    extra = ("openai-organization.org-1", "openai-project.p_1", "openai-agents-sdk.0.20.0")
    async with opening(guarded_gateway, "", {}, key, *extra, "realtime") as socket:
        assert socket.subprotocol == "realtime"
        assert KEY not in str(socket.response and socket.response.headers)
    async with opening(guarded_gateway, "", {}, key) as socket:
        assert socket.subprotocol is None
        await event(socket)


async def test_where_no_keys_are_set_every_key_passes(open_gateway: Gateway) -> None:
    for headers in ({}, {"Authorization": "Bearer whatever"}):
        async with opening(open_gateway, "", headers) as socket:
            assert (await event(socket))["type"] == "session.created"


# --- dialects and types


@pytest.mark.parametrize(
    ("headers", "offered", "beta"),
    [
        (BEARER, (), False),
        (BEARER | {"OpenAI-Beta": "assistants=v2"}, (), False),
        (BEARER | BETA, (), True),
        (BEARER, ("realtime", "openai-beta.realtime-v1"), True),
    ],
    ids=["none", "another-beta", "header", "subprotocol"],
)
async def test_the_dialect_is_the_one_that_the_client_asks_for(
    guarded_gateway: Gateway, headers: dict[str, str], offered: tuple[str, ...], beta: bool
) -> None:
    async with opening(guarded_gateway, "?model=m", headers, *offered) as socket:
        session = (await event(socket))["session"]
    assert session["model"] == "m"
    assert ("modalities" in session, "output_modalities" in session) == (beta, not beta)
    minutes = (session["expires_at"] - time.time()) / 60
    assert round(minutes) == (30 if beta else 60)


async def test_the_intent_to_transcribe_goes_before_a_model(guarded_gateway: Gateway) -> None:
    async with opening(guarded_gateway, "?intent=transcription&model=gpt-4o-transcribe") as socket:
        created = await event(socket)
        assert created["type"] == "session.created"
        assert created["session"]["type"] == "transcription"
    async with opening(guarded_gateway, "?intent=transcription", BEARER | BETA) as socket:
        assert (await event(socket))["type"] == "transcription_session.created"


async def test_a_session_keeps_its_type_when_it_is_resumed(guarded_gateway: Gateway) -> None:
    async with opening(guarded_gateway, "?intent=transcription") as socket:
        session_id = (await event(socket))["session"]["id"]
    async with opening(guarded_gateway, f"?session_id={session_id}") as socket:
        session = (await event(socket))["session"]
        assert (session["id"], session["type"]) == (session_id, "transcription")
    error = await refusal(opening(guarded_gateway, f"?session_id={session_id}&intent=realtime"), 400)
    assert (error["code"], error["param"]) == ("session_type_mismatch", "intent")
    async with opening(guarded_gateway) as socket:
        session_id = (await event(socket))["session"]["id"]
    await refusal(opening(guarded_gateway, f"?session_id={session_id}&intent=transcription"), 400)


async def test_a_session_for_transcription_takes_no_voice_call(guarded_gateway: Gateway) -> None:
    async with opening(guarded_gateway, "?intent=transcription") as socket:
        session_id = (await event(socket))["session"]["id"]
    address = f"{guarded_gateway.socket_url}/chat/voice_call"
    async with connect(address, additional_headers=BEARER) as socket:
        await socket.send(json.dumps({"audio": "", "meta_info": {"session_id": session_id}}))
        assert (await event(socket))["code"] == 400
        await asyncio.wait_for(socket.wait_closed(), 10)
        assert socket.close_code == 1008


# --- refusals


@pytest.mark.parametrize(
    ("query", "status", "code", "param"),
    [
        ("?intent=conversation", 400, "invalid_value", "intent"),
        ("?call_id=rtc_1", 404, "call_not_found", "call_id"),
        ("?session_id=sess_nobody", 404, "session_not_found", "session_id"),
        ("?session_id=no.such*id", 404, "session_not_found", "session_id"),
        ("/translations", 404, "not_found", None),
        ("/elsewhere", 404, "not_found", None),
    ],
)
async def test_a_handshake_that_asks_for_what_there_is_not_is_refused_in_one_shape(
    guarded_gateway: Gateway, query: str, status: int, code: str, param: str | None
) -> None:
    error = await refusal(opening(guarded_gateway, query), status)
    assert (error["code"], error["param"]) == (code, param)


async def test_a_session_of_another_tenant_cannot_be_resumed(guarded_gateway: Gateway) -> None:
    async with opening(guarded_gateway) as socket:
        session_id = (await event(socket))["session"]["id"]
    stranger = {"Authorization": f"Bearer {OTHER_KEY}"}
    await refusal(opening(guarded_gateway, f"?session_id={session_id}", stranger), 404)


async def test_without_redis_a_secret_is_tried_again_later(guarded_gateway: Gateway) -> None:
    secret = {"Authorization": "Bearer ek_4fWbR1uZ0aQp9xLmKc2TnE"}
    guarded_gateway.valkey.freeze()
    try:
        assert (await refusal(opening(guarded_gateway, "", secret), 503))["code"] == "service_unavailable"
    finally:
        guarded_gateway.valkey.thaw()

    async def ready() -> bool:
        async with httpx.AsyncClient() as http:
            return (await http.get(f"{guarded_gateway.url}/readyz")).status_code == 200

    await eventually(ready)


# --- the socket


async def test_compression_that_is_offered_does_no_harm_and_pings_are_answered(
    guarded_gateway: Gateway,
) -> None:
    async with connect(
        f"{guarded_gateway.socket_url}/v1/realtime", additional_headers=BEARER, compression="deflate"
    ) as socket:
        await event(socket)
        await socket.send('{"type": "input_audio_buffer.clear"}')
        assert (await event(socket))["type"] == "input_audio_buffer.cleared"
        await asyncio.wait_for(await socket.ping(), 5)


async def test_a_session_that_is_too_old_ends_with_an_error_and_1001(open_gateway: Gateway) -> None:
    """That gateway lets calls of the beta dialect last two seconds, and those of GA an hour."""
    async with opening(open_gateway) as bystander, opening(open_gateway, "", BETA) as socket:
        session = (await event(socket))["session"]
        assert session["expires_at"] <= time.time() + 2
        ends_at = (await event(bystander))["session"]["expires_at"]
        assert time.time() + 3000 < ends_at <= time.time() + 3600
        error = (await event(socket))["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "session_expired")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1001
        await asyncio.wait_for(await bystander.ping(), 5)


# --- the HTTP side of the port


async def test_nothing_that_is_served_loads_anything_from_elsewhere(guarded_gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=guarded_gateway.url) as http:
        for path in ("/docs", "/redoc"):
            assert (await http.get(path)).status_code == 404
        document = (await http.get("/openapi.json")).json()
    assert "/v1/realtime/client_secrets" in document["paths"]
