"""Ephemeral secrets by the official `openai` SDK, and the calls that they open."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, AuthenticationError, BadRequestError, NotFoundError
from openai.types.beta.realtime import SessionCreateResponse, TranscriptionSession
from openai.types.realtime import ClientSecretCreateResponse
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from dialtone.gateway.settings import DEFAULT_INSTRUCTIONS
from tests.fixtures.gateway import KEY, OTHER_KEY, Gateway

from .caller import calling, client_of

BETA = {"OpenAI-Beta": "realtime=v1"}


def by(value: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}", **headers}


async def first(socket: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await socket.recv())
    return message


async def refused(gateway: Gateway, query: str, value: str, status: int) -> dict[str, Any]:
    with pytest.raises(InvalidStatus) as answer:
        await connect(f"{gateway.socket_url}/v1/realtime{query}", additional_headers=by(value))
    assert answer.value.response.status_code == status
    error: dict[str, Any] = json.loads(answer.value.response.body or b"")["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert value not in str(error)
    return error


@pytest.fixture
def client(guarded_gateway: Gateway) -> AsyncOpenAI:
    return client_of(guarded_gateway.url, KEY)


async def test_a_secret_opens_calls_that_begin_with_its_session(
    guarded_gateway: Gateway, client: AsyncOpenAI
) -> None:
    made = await client.realtime.client_secrets.create(
        session={"type": "realtime", "instructions": "Sing.", "audio": {"output": {"voice": "cedar"}}},
        expires_after={"anchor": "created_at", "seconds": 60},
    )
    assert type(made) is ClientSecretCreateResponse
    for _ in range(2):
        async with calling(guarded_gateway.url, key=made.value) as caller:
            session = caller.of("session.created")[0].session
            assert session.instructions == "Sing."
            assert session.audio.output.voice == "cedar"
            await caller.connection.session.update(session={"type": "realtime", "instructions": "Speak."})
            assert (await caller.until("session.updated")).session.instructions == "Speak."


async def test_a_call_outlives_its_secret(guarded_gateway: Gateway, client: AsyncOpenAI) -> None:
    made = await client.realtime.client_secrets.create()
    async with calling(guarded_gateway.url, key=made.value) as caller:
        redis = Redis.from_url(guarded_gateway.valkey.url)
        await redis.delete(*[key async for key in redis.scan_iter("dialtone:secret:*")])
        await redis.aclose()
        assert (await refused(guarded_gateway, "", made.value, 401))["code"] == "invalid_api_key"
        await caller.connection.input_audio_buffer.clear()
        await caller.until("input_audio_buffer.cleared")


async def test_a_secret_that_names_no_session_leaves_it_to_the_socket(
    guarded_gateway: Gateway, client: AsyncOpenAI
) -> None:
    made = await client.realtime.client_secrets.create()
    address = f"{guarded_gateway.socket_url}/v1/realtime"
    async with connect(f"{address}?model=m", additional_headers=by(made.value)) as socket:
        session = (await first(socket))["session"]
        assert (session["model"], session["instructions"]) == ("m", DEFAULT_INSTRUCTIONS)
    assert made.session.to_dict()["instructions"] == DEFAULT_INSTRUCTIONS
    async with connect(f"{address}?intent=transcription", additional_headers=by(made.value)) as socket:
        assert (await first(socket))["session"]["type"] == "transcription"


async def test_the_type_of_the_secret_is_that_of_its_calls(
    guarded_gateway: Gateway, client: AsyncOpenAI
) -> None:
    made = await client.realtime.client_secrets.create(
        session={"type": "transcription", "audio": {"input": {"transcription": {"language": "en"}}}}
    )
    assert made.session.type == "transcription"
    address = f"{guarded_gateway.socket_url}/v1/realtime"
    for query in ("", "?model=gpt-4o-transcribe", "?intent=transcription"):
        async with connect(address + query, additional_headers=by(made.value)) as socket:
            session = (await first(socket))["session"]
            assert session["type"] == "transcription"
            assert session["audio"]["input"]["transcription"]["language"] == "en"
    error = await refused(guarded_gateway, "?intent=realtime", made.value, 400)
    assert (error["code"], error["param"]) == ("session_type_mismatch", "intent")


async def test_the_beta_endpoints_give_what_the_sdk_expects_and_a_secret_for_either_dialect(
    guarded_gateway: Gateway, client: AsyncOpenAI
) -> None:
    made = await client.beta.realtime.sessions.create(
        model="gpt-4o-realtime-preview", voice="sage", modalities=["text"], temperature=0.7
    )
    assert type(made) is SessionCreateResponse
    assert (made.voice, made.modalities, made.temperature) == ("sage", ["text"], 0.7)
    address = f"{guarded_gateway.socket_url}/v1/realtime"
    secret = made.client_secret.value
    async with connect(address, additional_headers=by(secret, **BETA)) as socket:
        session = (await first(socket))["session"]
        assert (session["voice"], session["modalities"]) == ("sage", ["text"])
    async with connect(address, additional_headers=by(secret)) as socket:
        session = (await first(socket))["session"]
        assert session["audio"]["output"]["voice"] == "sage"
        assert session["model"] == "gpt-4o-realtime-preview"


async def test_the_beta_endpoint_of_transcription_gives_what_the_sdk_expects(
    guarded_gateway: Gateway, client: AsyncOpenAI
) -> None:
    made = await client.beta.realtime.transcription_sessions.create(
        input_audio_format="g711_ulaw",
        input_audio_transcription={"model": "whisper-1", "language": "en"},
        client_secret={"expires_at": {"anchor": "created_at", "seconds": 30}},
    )
    assert type(made) is TranscriptionSession
    assert made.input_audio_format == "g711_ulaw"
    address = f"{guarded_gateway.socket_url}/v1/realtime?intent=transcription"
    headers = by(made.client_secret.value, **BETA)
    async with connect(address, additional_headers=headers) as socket:
        created = await first(socket)
        assert created["type"] == "transcription_session.created"
        assert created["session"]["input_audio_format"] == "g711_ulaw"


async def test_a_wrong_field_is_an_error_of_the_sdk_with_its_name(client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as wrong:
        await client.realtime.client_secrets.create(
            session={"type": "realtime", "audio": {"output": {"speed": 9}}}
        )
    assert wrong.value.param == "session.audio.output.speed"
    assert wrong.value.code == "invalid_value"


async def test_a_browser_cannot_make_secrets_of_its_secret_nor_read_sessions(
    guarded_gateway: Gateway, client: AsyncOpenAI
) -> None:
    made = await client.realtime.client_secrets.create()
    browser = client_of(guarded_gateway.url, made.value)
    with pytest.raises(AuthenticationError):
        await browser.realtime.client_secrets.create()
    async with httpx.AsyncClient(base_url=guarded_gateway.url, headers=by(made.value)) as http:
        assert (await http.get("/v1/sessions")).status_code == 401
    with pytest.raises(InvalidStatus):
        await connect(f"{guarded_gateway.socket_url}/chat/voice_call", additional_headers=by(made.value))


async def test_a_secret_opens_no_session_but_the_one_that_it_was_made_for(
    guarded_gateway: Gateway, client: AsyncOpenAI
) -> None:
    async with calling(guarded_gateway.url, key=KEY) as caller:
        session_id = caller.of("session.created")[0].session.id
        await caller.connection.session.update(session={"type": "realtime", "instructions": "Hum."})
        await caller.until("session.updated")
    free = await client.realtime.client_secrets.create()
    error = await refused(guarded_gateway, f"?session_id={session_id}", free.value, 403)
    assert (error["code"], error["param"]) == ("session_not_allowed", "session_id")
    made = await client.realtime.client_secrets.create(extra_body={"dialtone": {"session_id": session_id}})
    assert made.session.id == session_id
    for query in (None, session_id):
        async with calling(guarded_gateway.url, key=made.value, session_id=query) as caller:
            session = caller.of("session.created")[0].session
            assert (session.id, session.instructions) == (session_id, "Hum.")
    await refused(guarded_gateway, "?session_id=sess_other", made.value, 403)
    with pytest.raises(NotFoundError):  # another tenant cannot bind a secret to it
        await client_of(guarded_gateway.url, OTHER_KEY).realtime.client_secrets.create(
            extra_body={"dialtone": {"session_id": session_id}}
        )


async def test_where_there_are_no_keys_a_secret_is_looked_up_all_the_same(open_gateway: Gateway) -> None:
    assert (await refused(open_gateway, "", "ek_nobody", 401))["code"] == "invalid_api_key"
    client = client_of(open_gateway.url)
    made = await client.realtime.client_secrets.create(session={"type": "realtime", "instructions": "Sing."})
    async with calling(open_gateway.url, key=made.value) as caller:
        assert caller.of("session.created")[0].session.instructions == "Sing."
