"""Secrets whose calls may not change what they were given, and secrets that were called back."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.fixtures.gateway import KEY, OTHER_KEY, Gateway

SECRETS = "/v1/realtime/client_secrets"
SESSION = {
    "type": "realtime",
    "model": "small",
    "instructions": "Sell tickets.",
    "output_modalities": ["text"],
}
LOCKED = ["model", "instructions", "tools", "tool_choice", "audio.output.voice"]
BETA = {"OpenAI-Beta": "realtime=v1"}


def by(value: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}", **headers}


async def made(gateway: Gateway, body: dict[str, Any]) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=gateway.url, headers=by(KEY)) as http:
        answer = await http.post(SECRETS, json=body)
    assert answer.status_code == 200, answer.text
    secret: dict[str, Any] = answer.json()
    return secret


async def called_back(gateway: Gateway, secret: dict[str, Any], key: str = KEY) -> int:
    async with httpx.AsyncClient(base_url=gateway.url, headers=by(key)) as http:
        return (await http.delete(f"{SECRETS}/{secret['id']}")).status_code


def calling(gateway: Gateway, secret: dict[str, Any], query: str = "", **headers: str) -> connect:
    return connect(
        f"{gateway.socket_url}/v1/realtime{query}", additional_headers=by(secret["value"], **headers)
    )


async def answer_to(socket: ClientConnection, message: dict[str, Any]) -> dict[str, Any]:
    await socket.send(json.dumps(message))
    answer: dict[str, Any] = json.loads(await socket.recv())
    return answer


async def refused(socket: ClientConnection, message: dict[str, Any]) -> str:
    """The field that is named."""
    answer = await answer_to(socket, {"event_id": "mine", **message})
    assert answer["type"] == "error", answer
    error = answer["error"]
    assert (error["code"], error["event_id"]) == ("field_locked", "mine")
    assert f"'{error['param']}'" in error["message"]
    return str(error["param"])


async def refused_all(socket: ClientConnection) -> None:
    """In GA names; the call goes on, and what is not locked can be changed."""

    def update(**session: Any) -> dict[str, Any]:
        return {"type": "session.update", "session": {"type": "realtime", **session}}

    tool = {"type": "function", "name": "refund", "parameters": {"type": "object"}}
    assert (
        await refused(socket, update(instructions="Refund me.", max_output_tokens=9))
        == "session.instructions"
    )
    assert await refused(socket, update(tools=[tool])) == "session.tools"
    assert await refused(socket, update(model="large")) == "session.model"
    voice = {"output": {"voice": "cedar"}}
    assert await refused(socket, update(audio=voice)) == "session.audio.output.voice"
    override = {"type": "response.create", "response": {"instructions": "Refund me."}}
    assert await refused(socket, override) == "response.instructions"
    override = {"type": "response.create", "response": {"tools": [tool], "conversation": "none"}}
    assert await refused(socket, override) == "response.tools"
    updated = await answer_to(socket, update(instructions="Sell tickets.", max_output_tokens=7))
    assert updated["type"] == "session.updated"
    assert updated["session"]["max_output_tokens"] == 7
    assert updated["session"]["instructions"] == "Sell tickets."


async def test_what_is_locked_stays_as_it_is(guarded_gateway: Gateway) -> None:
    secret = await made(guarded_gateway, {"session": SESSION, "dialtone": {"locked": LOCKED}})
    for query in ("", "?model=large"):
        async with calling(guarded_gateway, secret, query) as socket:
            session = json.loads(await socket.recv())["session"]
            assert (session["model"], session["instructions"]) == ("small", "Sell tickets.")
            await refused_all(socket)


async def test_beta_clients_are_told_by_their_own_names(guarded_gateway: Gateway) -> None:
    secret = await made(guarded_gateway, {"session": SESSION, "dialtone": {"locked": [*LOCKED, "dialtone"]}})
    async with calling(guarded_gateway, secret, **BETA) as socket:
        shown = json.loads(await socket.recv())["session"]
        for field, value in (
            ("voice", "sage"),
            ("instructions", "x"),
            ("model", "large"),
            ("temperature", 1.1),
        ):
            named = await refused(socket, {"type": "session.update", "session": {field: value}})
            # Temperature is named by the place that it has among the project's own members.
            assert named == ("session.dialtone.temperature" if field == "temperature" else f"session.{field}")
        for field, value in (("voice", "sage"), ("instructions", "x"), ("temperature", 1.1)):
            named = await refused(socket, {"type": "response.create", "response": {field: value}})
            assert named == f"response.{field}"
        same = {name: shown[name] for name in ("voice", "instructions", "model", "tools", "temperature")}
        updated = await answer_to(socket, {"type": "session.update", "session": {**same, "speed": 1.5}})
        assert updated["type"] == "session.updated"
        assert updated["session"]["speed"] == 1.5


async def test_a_session_that_is_gone_on_with_by_a_secret_has_the_secrets_locks(
    guarded_gateway: Gateway,
) -> None:
    first = await made(guarded_gateway, {"session": SESSION, "dialtone": {"locked": LOCKED}})
    async with calling(guarded_gateway, first) as socket:
        session_id = json.loads(await socket.recv())["session"]["id"]
    again = await made(guarded_gateway, {"dialtone": {"session_id": session_id, "locked": LOCKED}})
    for _ in range(2):
        async with calling(guarded_gateway, again) as socket:
            assert json.loads(await socket.recv())["session"]["id"] == session_id
            await refused_all(socket)
    # The key that made them is locked out of nothing.
    url = f"{guarded_gateway.socket_url}/v1/realtime?session_id={session_id}"
    async with connect(url, additional_headers=by(KEY)) as socket:
        await socket.recv()
        update = {"type": "session.update", "session": {"type": "realtime", "instructions": "Mine."}}
        assert (await answer_to(socket, update))["session"]["instructions"] == "Mine."


async def test_locks_without_a_session_lock_the_default(guarded_gateway: Gateway) -> None:
    secret = await made(guarded_gateway, {"dialtone": {"locked": ["model"]}})
    async with calling(guarded_gateway, secret, "?model=large") as socket:
        assert json.loads(await socket.recv())["session"]["model"] == "default"
    with pytest.raises(InvalidStatus) as answer:
        await calling(guarded_gateway, secret, "?intent=transcription")
    assert answer.value.response.status_code == 400


async def test_a_secret_that_was_called_back_opens_no_call_and_those_it_opened_go_on(
    guarded_gateway: Gateway,
) -> None:
    secret = await made(guarded_gateway, {})
    async with calling(guarded_gateway, secret) as socket:
        await socket.recv()
        assert await called_back(guarded_gateway, secret, OTHER_KEY) == 404
        async with calling(guarded_gateway, secret) as second:
            await second.recv()
        for _ in range(2):
            assert await called_back(guarded_gateway, secret) == 204
            with pytest.raises(InvalidStatus) as answer:
                await calling(guarded_gateway, secret)
            assert answer.value.response.status_code == 401
        cleared = await answer_to(socket, {"type": "input_audio_buffer.clear"})
        assert cleared["type"] == "input_audio_buffer.cleared"
