"""Requests for ephemeral secrets: what is made of a right one, and what is said of a wrong one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from openai.types.beta.realtime import SessionCreateResponse, TranscriptionSession
from openai.types.realtime import ClientSecretCreateResponse
from pydantic import BaseModel
from redis.asyncio import Redis

from dialtone.gateway.audit import Audit
from dialtone.gateway.rest.auth import ApiKeys
from dialtone.gateway.rest.client_secrets import create_client_secrets_router
from dialtone.gateway.rest.not_served import create_not_served_router
from dialtone.gateway.runtime.switchboard import Switchboard
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import Stores
from tests.fixtures.valkey import ValkeyServer

from .conftest import ACME_KEY, app_of, client_of
from .test_bad_requests import error_of

GA = "/v1/realtime/client_secrets"
BETA = "/v1/realtime/sessions"
BETA_TRANSCRIPTION = "/v1/realtime/transcription_sessions"
JSON = {"Content-Type": "application/json"}


def with_secrets(stores: Stores, settings: GatewaySettings, switchboard: Switchboard) -> FastAPI:
    app = app_of(stores, settings, switchboard)
    keys = ApiKeys(settings)
    app.include_router(create_client_secrets_router(stores.secrets, stores.sessions, keys, settings, Audit()))
    app.include_router(create_not_served_router())
    return app


@pytest.fixture
async def client(
    stores: Stores, settings: GatewaySettings, switchboard: Switchboard
) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(with_secrets(stores, settings, switchboard)) as client:
        yield client


async def secrets_in(server: ValkeyServer) -> int:
    redis = Redis.from_url(server.url)
    found = len([key async for key in redis.scan_iter("dialtone:*secret*")])
    await redis.aclose()
    return found


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (GA, ClientSecretCreateResponse),
        (BETA, SessionCreateResponse),
        (BETA_TRANSCRIPTION, TranscriptionSession),
    ],
    ids=["ga", "beta", "beta-transcription"],
)
@pytest.mark.parametrize("content", [b"", b"{}"], ids=["no-body", "empty"])
async def test_everything_may_be_left_out(
    client: httpx.AsyncClient, path: str, shape: type[BaseModel], content: bytes
) -> None:
    answer = await client.post(path, content=content, headers=JSON)
    assert answer.status_code == 200, answer.text
    shape.model_validate(answer.json())


async def test_the_session_of_a_secret_is_shown_whole(client: httpx.AsyncClient, stores: Stores) -> None:
    wanted = {
        "type": "realtime",
        "model": "a-model",
        "instructions": "Be brief.",
        "output_modalities": ["text"],
        "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}}},
    }
    body = {"session": wanted, "expires_after": {"anchor": "created_at", "seconds": 30}}
    answer = (await client.post(GA, json=body)).json()
    ClientSecretCreateResponse.model_validate(answer)
    assert abs(answer["expires_at"] - time.time() - 30) < 5
    session = answer["session"]
    assert session["object"] == "realtime.session"
    assert session["type"] == "realtime"
    assert session["id"].startswith("sess_")
    assert session["model"] == "a-model"
    assert session["instructions"] == "Be brief."
    assert session["output_modalities"] == ["text"]
    detection = session["audio"]["input"]["turn_detection"]
    assert detection["threshold"] == 0.7
    assert detection["interrupt_response"] is True
    secret = await stores.secrets.find(answer["value"])
    assert secret is not None
    assert secret.config is not None
    assert secret.config.instructions == "Be brief."
    assert secret.config.model == "a-model"


async def test_a_transcription_session_has_its_own_shape(client: httpx.AsyncClient) -> None:
    session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    answer = (await client.post(GA, json={"session": session})).json()
    ClientSecretCreateResponse.model_validate(answer)
    assert answer["session"]["type"] == "transcription"
    assert answer["session"]["object"] == "realtime.transcription_session"
    assert answer["session"]["audio"]["input"]["transcription"]["model"] == "whisper-1"


async def test_the_beta_session_is_flat_and_holds_its_secret(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    body = {
        "model": "gpt-4o-realtime-preview",
        "modalities": ["audio", "text"],
        "input_audio_format": "g711_ulaw",
        "voice": "alloy",
        "temperature": 0.7,
        "client_secret": {"expires_after": {"anchor": "created_at", "seconds": 120}},
    }
    answer = (await client.post(BETA, json=body)).json()
    SessionCreateResponse.model_validate(answer)
    assert answer["model"] == "gpt-4o-realtime-preview"
    assert answer["input_audio_format"] == "g711_ulaw"
    assert answer["temperature"] == 0.7
    assert abs(answer["client_secret"]["expires_at"] - time.time() - 120) < 5
    secret = await stores.secrets.find(answer["client_secret"]["value"])
    assert secret is not None
    assert secret.config is not None
    assert secret.config.audio.input.format.type == "audio/pcmu"


async def test_a_beta_secret_lives_a_minute_unless_told_otherwise(client: httpx.AsyncClient) -> None:
    for body, seconds in (({}, 60), ({"client_secret": {"expires_at": {"seconds": 20}}}, 20)):
        answer = (await client.post(BETA_TRANSCRIPTION, json=body)).json()
        assert abs(answer["client_secret"]["expires_at"] - time.time() - seconds) < 5
        assert answer["object"] == "realtime.transcription_session"


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    (GA, {"expires_after": {"seconds": 9}}, "expires_after.seconds", "invalid_value"),
    (GA, {"expires_after": {"seconds": 7201}}, "expires_after.seconds", "invalid_value"),
    (GA, {"expires_after": {"seconds": "60"}}, "expires_after.seconds", "invalid_type"),
    (GA, {"expires_after": {"seconds": 10.5}}, "expires_after.seconds", "invalid_type"),
    (GA, {"expires_after": {"anchor": "now", "seconds": 60}}, "expires_after.anchor", "invalid_value"),
    (GA, {"expires_after": 60}, "expires_after", "invalid_type"),
    (GA, {"expire_after": {"seconds": 60}}, "expire_after", "unknown_parameter"),
    (GA, {"session": []}, "session", "invalid_type"),
    (GA, {"session": {"type": "translation"}}, "session.type", "invalid_value"),
    (GA, {"session": {"type": 5}}, "session.type", "invalid_type"),
    (GA, {"session": {"type": "realtime", "model": 5}}, "session.model", "invalid_type"),
    (GA, {"session": {"instructions": 5}}, "session.instructions", "invalid_type"),
    (GA, {"session": {"output_modalities": ["smell"]}}, "session.output_modalities", "invalid_value"),
    (
        GA,
        {"session": {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}}},
        "session.audio.input.turn_detection.threshold",
        "invalid_value",
    ),
    (GA, {"dialtone": 5}, "dialtone", "invalid_type"),
    (GA, {"dialtone": {"session_id": 5}}, "dialtone.session_id", "invalid_type"),
    (GA, {"dialtone": {"lock": ["tools"]}}, "dialtone.lock", "unknown_parameter"),
    (GA, {"dialtone": {"locked": "tools"}}, "dialtone.locked", "invalid_type"),
    (GA, {"dialtone": {"locked": ["tools"] * 100}}, "dialtone.locked", "invalid_value"),
    (GA, {"dialtone": {"locked": ["tools", "instruction"]}}, "dialtone.locked[1]", "invalid_value"),
    (GA, {"dialtone": {"locked": ["audio.output."]}}, "dialtone.locked[0]", "invalid_value"),
    (GA, {"dialtone": {"locked": ["tools", 5]}}, "dialtone.locked[1]", "invalid_type"),
    (GA, {"session": {}, "dialtone": {"session_id": "sess_1"}}, "session", "invalid_parameter"),
    (BETA, {"voice": 5}, "voice", "invalid_type"),
    (BETA, {"model": ""}, "model", "invalid_value"),
    (BETA, {"modalities": ["audio"]}, "modalities", "invalid_value"),
    (BETA, {"input_audio_format": "opus"}, "input_audio_format", "invalid_value"),
    (BETA, {"temperature": 2}, "temperature", "invalid_value"),
    (BETA, {"turn_detection": {"type": "server_vad", "threshold": 2}}, "turn_detection.threshold", ""),
    (BETA, {"client_secret": 5}, "client_secret", "invalid_type"),
    (
        BETA,
        {"client_secret": {"expires_after": {"seconds": 1}}},
        "client_secret.expires_after.seconds",
        "invalid_value",
    ),
    (BETA_TRANSCRIPTION, {"input_audio_transcription": 5}, "input_audio_transcription", "invalid_type"),
]


@pytest.mark.parametrize(
    ("path", "body", "param", "code"), BAD, ids=[f"{i}-{b[2]}" for i, b in enumerate(BAD)]
)
async def test_a_wrong_field_is_named_and_nothing_is_made(
    client: httpx.AsyncClient, valkey: ValkeyServer, path: str, body: dict[str, Any], param: str, code: str
) -> None:
    error = error_of(await client.post(path, json=body), 400)
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"].count(f"'{param}'") == (0 if code == "invalid_parameter" else 1)
    assert error["code"] == (code or "invalid_value")
    assert await secrets_in(valkey) == 0


@pytest.mark.parametrize("content", [b"{", b"[]", b'"x"', b"\xff", b"[" * 5000, b'{"a":NaN}'], ids=range(6))
async def test_a_body_that_is_no_json_object_is_refused(client: httpx.AsyncClient, content: bytes) -> None:
    error = error_of(await client.post(GA, content=content, headers=JSON), 400)
    assert error["code"] == "invalid_json"
    assert "frame" not in error["message"]


async def test_too_large_a_body_is_refused(client: httpx.AsyncClient) -> None:
    body = {"session": {"instructions": "x" * 200_000}}
    assert error_of(await client.post(GA, json=body), 413)["code"] == "body_too_large"


async def test_a_secret_can_be_bound_to_a_session_of_the_same_tenant(
    stores: Stores, settings: GatewaySettings, switchboard: Switchboard
) -> None:
    keyed = GatewaySettings.model_validate(
        settings.model_dump() | {"api_keys": f"acme:{ACME_KEY},other:other-key-0123456789"}
    )
    async with client_of(with_secrets(stores, keyed, switchboard)) as client:
        acme = {"Authorization": f"Bearer {ACME_KEY}"}
        made = (await client.post("/v1/sessions", json={"instructions": "Sing."}, headers=acme)).json()
        body = {"dialtone": {"session_id": made["id"]}}
        answer = (await client.post(GA, json=body, headers=acme)).json()
        assert answer["session"]["id"] == made["id"]
        assert answer["session"]["instructions"] == "Sing."
        secret = await stores.secrets.find(answer["value"])
        assert secret is not None
        assert secret.session_id == made["id"]
        other = {"Authorization": "Bearer other-key-0123456789"}
        for headers, wanted in ((other, made["id"]), (acme, "sess_none"), (acme, "no.such*id")):
            answer = await client.post(GA, json={"dialtone": {"session_id": wanted}}, headers=headers)
            assert error_of(answer, 404)["param"] == "dialtone.session_id"


async def test_a_secret_is_called_back_by_the_tenant_that_made_it_alone(
    stores: Stores, settings: GatewaySettings, switchboard: Switchboard
) -> None:
    keyed = GatewaySettings.model_validate(
        settings.model_dump() | {"api_keys": f"acme:{ACME_KEY},other:other-key-0123456789"}
    )
    acme, other = ({"Authorization": f"Bearer {key}"} for key in (ACME_KEY, "other-key-0123456789"))
    async with client_of(with_secrets(stores, keyed, switchboard)) as client:
        made = (await client.post(GA, json={}, headers=acme)).json()
        beta = (await client.post(BETA, json={}, headers=acme)).json()["client_secret"]
        random = await client.delete(f"{GA}/secret_{'0' * 64}", headers=other)
        strangers = await client.delete(f"{GA}/{made['id']}", headers=other)
        assert error_of(strangers, 404) == error_of(random, 404)
        assert (await client.delete(f"{GA}/{made['id']}")).status_code == 401
        holder = {"Authorization": f"Bearer {made['value']}"}
        assert (await client.delete(f"{GA}/{made['id']}", headers=holder)).status_code == 401
        assert await stores.secrets.find(made["value"]) is not None
        for secret in (made, made, beta):
            answer = await client.delete(f"{GA}/{secret['id']}", headers=acme)
            assert (answer.status_code, answer.content) == (204, b"")
            assert await stores.secrets.find(secret["value"]) is None
        for wrong in (made["value"], "*", "secret_", "x" * 1000):
            assert error_of(await client.delete(f"{GA}/{wrong}", headers=acme), 404)["param"] == "secret_id"


async def test_a_secret_with_locks_keeps_them_with_the_session_that_it_has(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    locked = ["instructions", "audio.output.voice"]
    for body, instructions in (({"session": {"instructions": "Sing."}}, "Sing."), ({}, None)):
        made = (await client.post(GA, json={**body, "dialtone": {"locked": locked}})).json()
        secret = await stores.secrets.find(made["value"])
        assert secret is not None
        assert secret.locked == tuple(locked)
        # Without a session of its own it has the default, which the socket cannot choose otherwise.
        assert secret.config is not None
        assert instructions is None or secret.config.instructions == instructions


async def test_a_secret_is_no_key(
    client: httpx.AsyncClient, stores: Stores, settings: GatewaySettings, switchboard: Switchboard
) -> None:
    value = (await client.post(GA, json={})).json()["value"]
    headers = {"Authorization": f"Bearer {value}"}
    keyed = GatewaySettings.model_validate(settings.model_dump() | {"api_keys": ACME_KEY})
    async with client_of(with_secrets(stores, keyed, switchboard)) as guarded:
        for asked in (client, guarded):
            for path in (GA, BETA, BETA_TRANSCRIPTION, "/v1/sessions"):
                error = error_of(await asked.post(path, json={}, headers=headers), 401)
                assert error["code"] == "invalid_api_key"
                assert value not in error["message"]
            assert (await asked.get("/v1/sessions", headers=headers)).status_code == 401
        assert (await guarded.post(GA, json={})).status_code == 401


async def test_a_key_may_not_look_like_a_secret(settings: GatewaySettings) -> None:
    with pytest.raises(ValueError, match="ek_"):
        GatewaySettings.model_validate(settings.model_dump() | {"api_keys": "acme:ek_0123456789abcdef"})


async def test_a_tenant_with_too_many_secrets_is_told_to_wait(
    stores: Stores, settings: GatewaySettings, switchboard: Switchboard
) -> None:
    stores.secrets._most = 1
    async with client_of(with_secrets(stores, settings, switchboard)) as client:
        assert (await client.post(GA, json={})).status_code == 200
        answer = await client.post(BETA, json={})
        assert error_of(answer, 429)["type"] == "rate_limit_error"
        assert int(answer.headers["retry-after"]) > 0


async def test_without_redis_it_is_tried_again_later(client: httpx.AsyncClient, valkey: ValkeyServer) -> None:
    valkey.kill()
    answer = await client.post(GA, json={})
    assert error_of(answer, 503)["code"] == "store_unavailable"
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/realtime", 501),
        ("/v1/realtime/calls", 501),
        ("/v1/realtime/calls/rtc_1/accept", 501),
        ("/v1/realtime/translations/client_secrets", 404),
        ("/v1/realtime/translations/calls", 404),
    ],
)
async def test_what_is_not_served_says_so(client: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await client.post(path, content=b"v=0", headers={"Content-Type": "application/sdp"})
    assert "not served here" in error_of(answer, status)["message"]


async def test_the_openapi_document_describes_the_bodies(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    schema = paths[GA]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"expires_after", "session", "dialtone"}
    assert {"200", "400", "401", "413", "429", "503"} <= set(paths[GA]["post"]["responses"])
    assert "instructions" in schema["properties"]["dialtone"]["properties"]["locked"]["items"]["enum"]
    for path in (BETA, BETA_TRANSCRIPTION):
        assert "client_secret" in str(paths[path]["post"]["requestBody"])
