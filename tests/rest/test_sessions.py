"""`/v1/sessions` as a client meets it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from dialtone.gateway.core.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputText,
    Item,
    MessageItem,
    OutputAudio,
    OutputText,
    SessionRecord,
)
from dialtone.gateway.core.session import (
    PCM_16K,
    AudioFormat,
    SemanticVad,
    ServerVad,
    SessionConfig,
    Transcription,
)
from dialtone.gateway.settings import DEFAULT_INSTRUCTIONS
from dialtone.gateway.stores import Stores
from tests.fixtures.valkey import ValkeyServer
from tests.rest.conftest import ACME_KEY, DEFAULT_KEY
from tests.stores.databases import SqliteFile

from .test_bad_requests import error_of

EVERYTHING: dict[str, Any] = {
    "instructions": "Talk like a pirate.",
    "messages": [
        {"role": "user", "content": "你好"},
        {"role": "assistant", "content": "Ahoy."},
        {"role": "system", "content": "The user is a child."},
    ],
    "llm": {"model": "abab6.5s-chat", "temperature": 0.01, "top_p": 1, "max_tokens": 300},
    "tts": {
        "voice": "joe",
        "language": "zh-CN",
        "speaker_id": 7,
        "noise_scale": 0.667,
        "noise_scale_w": 0.8,
        "length_scale": 1.25,
    },
    "turn_detection": {
        "type": "server_vad",
        "engine": "silero",
        "threshold": 0.6,
        "prefix_padding_ms": 200,
        "silence_duration_ms": 400,
        "idle_timeout_ms": 6000,
        "candidate_pause_ms": 0,
        "create_response": False,
        "interrupt_response": False,
    },
    "transcription": {"language": "zh", "model": "whisper-base", "prompt": "Dialtone"},
    "audio": {"input_rate": 8000, "output": {"rate": 22050, "container": "wav"}},
}


async def created(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/v1/sessions", json=body)
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/sessions/{session['id']}"
    return session


async def test_an_empty_request_makes_a_session_with_the_seed_settings(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    session = await created(client, {})
    assert session["messages"] == []
    record = await stores.sessions.get("default", session["id"])
    assert record is not None
    detection = record.config.audio.input.turn_detection
    assert isinstance(detection, ServerVad)
    assert detection.silence_duration_ms == 25 * 30
    assert (record.config.dialtone.vad_engine, record.config.dialtone.vad_aggressiveness) == ("webrtc", 1)
    assert record.config.audio.input.format == PCM_16K
    assert record.config.dialtone.candidate_pause_ms is None


async def test_everything_asked_for_reaches_the_call_core(client: httpx.AsyncClient, stores: Stores) -> None:
    session = await created(client, EVERYTHING)
    record = await stores.sessions.get("default", session["id"])
    assert record is not None
    config, extra = record.config, record.config.dialtone
    assert config.instructions == "Talk like a pirate."
    assert (config.model, config.max_output_tokens) == ("abab6.5s-chat", 300)
    assert (extra.temperature, extra.top_p) == (0.01, 1)
    assert config.audio.output.voice == "joe"
    assert (extra.language, extra.speaker_id) == ("zh-CN", "7")
    assert (extra.noise_scale, extra.noise_scale_w, extra.length_scale) == (0.667, 0.8, 1.25)
    assert config.audio.input.turn_detection == ServerVad(0.6, 200, 400, 6000, False, False)
    assert (extra.vad_engine, extra.vad_aggressiveness, extra.candidate_pause_ms) == ("silero", None, 0)
    assert config.audio.input.transcription == Transcription("whisper-base", "zh", "Dialtone")
    assert config.audio.input.format == AudioFormat("audio/pcm", 8000)
    assert config.audio.output.format == AudioFormat("audio/pcm", 22050)
    assert extra.container == "wav"
    parts = [(item.role, item.content) for item in record.items if isinstance(item, MessageItem)]
    assert parts == [
        ("user", [InputText("你好")]),
        ("assistant", [OutputText("Ahoy.")]),
        ("system", [InputText("The user is a child.")]),
    ]


async def test_what_was_asked_for_is_read_back(client: httpx.AsyncClient) -> None:
    session = await created(client, EVERYTHING)
    read = (await client.get(f"/v1/sessions/{session['id']}")).json()
    assert read == session
    assert [{key: m[key] for key in ("role", "content")} for m in read["messages"]] == EVERYTHING["messages"]
    for section in ("llm", "transcription", "audio", "instructions"):
        assert read[section] == EVERYTHING[section]
    assert read["tts"] == {**EVERYTHING["tts"], "speaker_id": "7"}
    assert EVERYTHING["turn_detection"].items() <= read["turn_detection"].items()


async def test_a_session_without_instructions_takes_the_operators_and_empty_ones_are_none(
    client: httpx.AsyncClient,
) -> None:
    made = await created(client, {})
    assert made["instructions"] == DEFAULT_INSTRUCTIONS
    cleared = await client.patch(f"/v1/sessions/{made['id']}", json={"instructions": ""})
    assert cleared.json()["instructions"] == ""
    assert (await created(client, {"instructions": ""}))["instructions"] == ""


async def test_a_system_message_at_the_start_is_the_instructions(client: httpx.AsyncClient) -> None:
    opening = {"role": "system", "content": "Be brief."}
    question = {"role": "user", "content": "Hi"}
    lifted = await created(client, {"messages": [opening, question]})
    assert lifted["instructions"] == "Be brief."
    assert [message["role"] for message in lifted["messages"]] == ["user"]

    both = await created(client, {"instructions": "Be kind.", "messages": [opening, question]})
    assert both["instructions"] == "Be kind."
    assert [message["role"] for message in both["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"instructions": "Talk like a pirate."}, "instructions"),
        ({"llm": {"max_tokens": 300}}, "llm.max_tokens"),
        ({"llm": {"temperature": 0.5}}, "llm.temperature"),
        ({"tts": {"voice": "joe"}}, "tts.voice"),
        ({"tts": {"length_scale": 2}}, "tts.length_scale"),
        ({"turn_detection": {"create_response": False}}, "turn_detection.create_response"),
        ({"turn_detection": {"idle_timeout_ms": 5_000}}, "turn_detection.idle_timeout_ms"),
        ({"turn_detection": {"candidate_pause_ms": 300}}, "turn_detection.candidate_pause_ms"),
    ],
)
async def test_what_moshi_cannot_do_is_refused_by_name_when_it_is_asked_for(
    client: httpx.AsyncClient, asked: dict[str, Any], field: str
) -> None:
    def says_so(answer: httpx.Response) -> None:
        error = error_of(answer, 422)
        assert (error["code"], error["param"]) == ("not_supported_by_model", field)
        assert error["message"].startswith(f"'{field}' cannot be set: Moshi ")

    with_moshi = asked | {"llm": {"model": "moshi"} | asked.get("llm", {})}
    says_so(await client.post("/v1/sessions", json=with_moshi))
    created = (await client.post("/v1/sessions", json={"llm": {"model": "moshi"}})).json()
    path = f"/v1/sessions/{created['id']}"
    says_so(await client.patch(path, json=asked))
    assert (await client.get(path)).json() == created


async def test_moshi_takes_no_system_message_and_all_that_it_can_have(client: httpx.AsyncClient) -> None:
    moshi = {"llm": {"model": "moshi-sft"}}
    pirate = {"messages": [{"role": "system", "content": "Talk like a pirate."}]}
    refused = await client.post("/v1/sessions", json=moshi | pirate)
    assert error_of(refused, 422)["param"] == "instructions"

    able = {"tts": {"voice": None}, "turn_detection": {"silence_duration_ms": 400}, "instructions": ""}
    created = await client.post("/v1/sessions", json=moshi | able)
    assert created.status_code == 201, created.text
    changed = await client.patch(f"/v1/sessions/{created.json()['id']}", json=able)
    assert changed.status_code == 200, changed.text


async def test_only_what_a_change_asks_for_is_held_against_it(client: httpx.AsyncClient) -> None:
    """A session that had instructions is given to Moshi: its call is told of them."""
    created = (await client.post("/v1/sessions", json={"instructions": "Be brief."})).json()
    changed = await client.patch(f"/v1/sessions/{created['id']}", json={"llm": {"model": "moshi"}})
    assert changed.status_code == 200, changed.text


async def test_turn_detection_can_be_semantic_or_left_to_the_client(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    semantic = await created(client, {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}})
    assert semantic["turn_detection"]["type"] == "semantic_vad"
    record = await stores.sessions.get("default", semantic["id"])
    assert record is not None
    assert record.config.audio.input.turn_detection == SemanticVad("high")

    manual = await created(client, {"turn_detection": None})
    assert manual["turn_detection"] is None


async def test_what_was_said_in_a_call_is_read_as_chat_messages(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    items: list[Item] = [
        MessageItem(id="u", role="user", content=[InputAudio("weather?")]),
        FunctionCallItem(id="f", call_id="call_1", name="weather", arguments="{}"),
        FunctionCallOutputItem(id="o", call_id="call_1", output="sunny"),
        MessageItem(id="a", role="assistant", content=[OutputAudio("It is")], status="incomplete"),
    ]
    config = SessionConfig(max_output_tokens="inf")
    await stores.sessions.create(SessionRecord("sess_x", "default", 1000.5, config, items))
    read = (await client.get("/v1/sessions/sess_x")).json()
    assert read["created_at"] == 1000
    assert [(m["id"], m["role"], m["content"], m["status"]) for m in read["messages"]] == [
        ("u", "user", "weather?", "completed"),
        ("f", "assistant", None, "completed"),
        ("o", "tool", "sunny", "completed"),
        ("a", "assistant", "It is", "incomplete"),
    ]
    assert read["messages"][1]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    ]
    assert read["messages"][2]["tool_call_id"] == "call_1"


async def test_a_change_touches_only_what_it_names(client: httpx.AsyncClient, stores: Stores) -> None:
    session = await created(client, EVERYTHING)
    before = await stores.sessions.get("default", session["id"])
    assert before is not None
    change = {"llm": {"temperature": 1.5}, "tts": {"speaker_id": None}, "audio": {"output": {"rate": 16000}}}
    answer = await client.patch(f"/v1/sessions/{session['id']}", json=change)
    assert answer.status_code == 200

    after = await stores.sessions.get("default", session["id"])
    assert after is not None
    replace = msgspec.structs.replace
    config = before.config
    output = replace(config.audio.output, format=PCM_16K)
    assert after.config == replace(
        config,
        audio=replace(config.audio, output=output),
        dialtone=replace(config.dialtone, temperature=1.5, speaker_id=None),
    )
    assert after.items == before.items


async def test_the_settings_of_a_session_with_a_live_call_are_changed_in_the_call_alone(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    session = await created(client, {})
    path, change = f"/v1/sessions/{session['id']}", {"instructions": "Sing."}
    here = ("default", session["id"])
    epoch = await stores.calls.claim(*here, call_id="call_1")
    assert epoch is not None
    assert error_of(await client.patch(path, json=change), 409)["code"] == "session_busy"
    await stores.sessions.put_config(*here, SessionConfig(instructions="Hum."), epoch=epoch)
    await stores.calls.release(*here, call_id="call_1")
    assert (await client.patch(path, json={"llm": {"max_tokens": 7}})).json()["instructions"] == "Hum."
    assert (await client.patch(path, json=change)).json()["llm"]["max_tokens"] == 7
    assert await stores.calls.holder(*here) is None


async def test_changes_at_the_same_time_wait_for_each_other(client: httpx.AsyncClient) -> None:
    path = f"/v1/sessions/{(await created(client, {}))['id']}"
    changes = [{"instructions": "Sing."}, {"llm": {"max_tokens": 7}}, {"tts": {"voice": "joe"}}]
    answers = await asyncio.gather(*(client.patch(path, json=change) for change in changes))
    assert [answer.status_code for answer in answers] == [200] * 3
    session = (await client.get(path)).json()
    assert (session["instructions"], session["llm"]["max_tokens"], session["tts"]["voice"]) == (
        "Sing.",
        7,
        "joe",
    )


async def test_a_clock_that_was_put_back_does_not_keep_a_session_from_changes(
    client: httpx.AsyncClient, stores: Stores
) -> None:
    session = await created(client, {})
    here = ("default", session["id"])
    tomorrow = 4 * 10**15
    assert await stores.sessions.fence(*here, tomorrow) == tomorrow  # of a time when the clock went ahead
    answer = await client.patch(f"/v1/sessions/{session['id']}", json={"instructions": "Sing."})
    assert answer.status_code == 200
    record = await stores.sessions.get(*here)
    assert record is not None
    assert (record.config.instructions, record.epoch) == ("Sing.", tomorrow + 1)


async def test_a_deleted_session_is_not_found(client: httpx.AsyncClient) -> None:
    session = await created(client, {})
    path = f"/v1/sessions/{session['id']}"
    answer = await client.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    for again in (
        await client.get(path),
        await client.delete(path),
        await client.patch(path, json={"instructions": "x"}),
    ):
        assert again.status_code == 404
        assert again.json()["error"]["code"] == "session_not_found"
        assert again.json()["error"]["param"] == "session_id"


async def test_sessions_are_listed_a_page_at_a_time(client: httpx.AsyncClient) -> None:
    made = [(await created(client, {"instructions": str(number)}))["id"] for number in range(5)]
    listed: list[str] = []
    query: dict[str, str | int] = {"limit": 2}
    for _ in range(3):
        page = (await client.get("/v1/sessions", params=query)).json()
        listed += [session["id"] for session in page["data"]]
        assert "messages" not in page["data"][0]
        if not page["has_more"]:
            break
        query["after"] = page["next"]
    assert listed == made[::-1]


async def test_a_key_is_asked_for_and_opens_only_its_tenant(guarded: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {ACME_KEY}"}):
        answer = await guarded.get("/v1/sessions", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert answer.headers["www-authenticate"] == "Bearer"

    acme = {"Authorization": f"Bearer {ACME_KEY}"}
    session = (await guarded.post("/v1/sessions", json={}, headers=acme)).json()
    path = f"/v1/sessions/{session['id']}"
    assert (await guarded.get(path, headers=acme)).status_code == 200
    others = {"Authorization": f"Bearer {DEFAULT_KEY}"}
    assert (await guarded.get(path, headers=others)).status_code == 404
    assert (await guarded.delete(path, headers=others)).status_code == 404
    assert (await guarded.get("/v1/sessions", headers=others)).json()["data"] == []


async def test_without_any_store_the_answer_is_503_and_when_to_try_again(
    client: httpx.AsyncClient, valkey: ValkeyServer, tmp_path: Path
) -> None:
    session = await created(client, {})
    database = SqliteFile(tmp_path)
    valkey.kill()
    database.stop()
    try:
        answer = await client.post("/v1/sessions", json={})
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "store_unavailable"
        assert int(answer.headers["retry-after"]) > 0
    finally:
        database.start()
    assert (await client.get(f"/v1/sessions/{session['id']}")).status_code == 200
