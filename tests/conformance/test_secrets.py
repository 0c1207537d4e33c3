"""Ephemeral secrets, made by the SDK with a key and used without one."""

from __future__ import annotations

import time

import pytest
from openai import AuthenticationError
from websockets.exceptions import InvalidStatus

from tests.conformance.agents_js import place, run
from tests.conformance.caller import Server
from tests.conformance.dialect import Beta, Dialect, Ga
from tests.fixtures.chat_answers import TEXT


async def test_a_secret_opens_a_call_with_the_session_it_was_made_for(server: Server) -> None:
    async with server.client() as client:
        secret = await client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={
                "type": "realtime",
                "instructions": "Be brief.",
                "output_modalities": ["text"],
                "audio": {"input": {"turn_detection": None}, "output": {"voice": "cedar"}},
            },
        )
    assert secret.value.startswith("ek_")
    assert 50 < secret.expires_at - time.time() < 70
    assert secret.session.type == "realtime"
    assert secret.session.instructions == "Be brief."
    for _ in range(2):  # until it expires, a secret opens as many calls as it is used for
        async with server.calling(Ga(), key=secret.value) as caller:
            session = caller.events[0].session
            assert session.instructions == "Be brief."
            assert session.output_modalities == ["text"]
            assert session.audio.input.turn_detection is None
            assert session.audio.output.voice == "cedar"
            assert (await caller.ask("Hello")).output[0].content[0].text == TEXT


async def test_a_secret_for_listening_opens_a_transcription_session(server: Server) -> None:
    async with server.client() as client:
        secret = await client.realtime.client_secrets.create(
            session={
                "type": "transcription",
                "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}},
            }
        )
    async with server.calling(Ga(), key=secret.value) as caller:
        session = caller.events[0].session
    assert secret.session.type == session.type == "transcription"
    assert session.audio.input.transcription.language == "en"


async def test_the_beta_session_carries_its_secret(server: Server) -> None:
    async with server.client() as client:
        made = await client.beta.realtime.sessions.create(
            model="gpt-realtime", instructions="Be brief.", modalities=["text"]
        )
    assert made.instructions == "Be brief."
    async with server.calling(Beta(), key=made.client_secret.value) as caller:
        session = caller.events[0].session
        answer = await caller.ask("Hello")
    assert session.instructions == "Be brief."
    assert session.modalities == ["text"]
    assert answer.output[0].content[0].text == TEXT


async def test_the_beta_transcription_session_carries_its_secret(server: Server) -> None:
    async with server.client() as client:
        made = await client.beta.realtime.transcription_sessions.create(
            input_audio_format="g711_ulaw", input_audio_transcription={"model": "whisper-1"}
        )
    async with server.calling(Beta(), key=made.client_secret.value) as caller:
        created = caller.events[0]
    assert created.type == "transcription_session.created"
    assert created.to_dict()["session"]["input_audio_format"] == "g711_ulaw"


async def test_the_javascript_sdk_calls_with_a_secret(server: Server) -> None:
    async with server.client() as client:
        secret = await client.realtime.client_secrets.create(session={"type": "realtime"})
    told = await run("text_turn.mjs", **place(Server(server.url, secret.value)))
    assert told.history() == [("user", "Hello"), ("assistant", TEXT)]
    assert not told.told("error")


async def test_neither_calls_nor_secrets_are_to_be_had_without_a_key(
    server: Server, dialect: Dialect
) -> None:
    async with server.client("sk-wrong-0123456789") as client:
        with pytest.raises(AuthenticationError) as refused:
            await client.realtime.client_secrets.create(session={"type": "realtime"})
    assert refused.value.code == "invalid_api_key"
    for key in ("sk-wrong-0123456789", "ek_never_made"):
        with pytest.raises(InvalidStatus) as status:
            async with server.calling(dialect, key=key):
                pass
        assert status.value.response.status_code == 401
