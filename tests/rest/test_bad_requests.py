"""Every bad request is answered in one shape, naming the field that is wrong."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

JSON = {"Content-Type": "application/json"}
BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"instructions": 5}, "instructions"),
    ({"instructions": None}, "instructions"),
    ({"instructions": "x" * 70_000}, "instructions"),
    ({"unknown": 1}, "unknown"),
    ({"messages": "hi"}, "messages"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": "x", "id": "item_mine"}]}, "messages.0.id"),
    ({"messages": [{"role": "user", "content": "x"}] * 1001}, "messages"),
    ({"llm": []}, "llm"),
    ({"llm": None}, "llm"),
    ({"llm": {"model": ""}}, "llm.model"),
    ({"llm": {"temperature": -0.1}}, "llm.temperature"),
    ({"llm": {"temperature": 2.1}}, "llm.temperature"),
    ({"llm": {"temperature": "1"}}, "llm.temperature"),
    ({"llm": {"temperature": True}}, "llm.temperature"),
    ({"llm": {"top_p": 1.1}}, "llm.top_p"),
    ({"llm": {"max_tokens": 0}}, "llm.max_tokens"),
    ({"llm": {"max_tokens": 1.5}}, "llm.max_tokens"),
    ({"llm": {"max_tokens": 10**30}}, "llm.max_tokens"),
    ({"tts": {"language": "english"}}, "tts.language"),
    ({"tts": {"noise_scale": -1}}, "tts.noise_scale"),
    ({"tts": {"noise_scale_w": 3}}, "tts.noise_scale_w"),
    ({"tts": {"length_scale": 0}}, "tts.length_scale"),
    ({"tts": {"length_scale": 4.5}}, "tts.length_scale"),
    ({"turn_detection": {"type": "vad"}}, "turn_detection.type"),
    ({"turn_detection": {"engine": "best"}}, "turn_detection.engine"),
    ({"turn_detection": {"aggressiveness": 4}}, "turn_detection.aggressiveness"),
    ({"turn_detection": {"threshold": 1.1}}, "turn_detection.threshold"),
    ({"turn_detection": {"prefix_padding_ms": -1}}, "turn_detection.prefix_padding_ms"),
    ({"turn_detection": {"silence_duration_ms": 0}}, "turn_detection.silence_duration_ms"),
    ({"turn_detection": {"create_response": "yes"}}, "turn_detection.create_response"),
    ({"turn_detection": {"eagerness": "low"}}, "turn_detection.eagerness"),
    (
        {"turn_detection": {"type": "semantic_vad", "silence_duration_ms": 200}},
        "turn_detection.silence_duration_ms",
    ),
    ({"transcription": {"language": "zh-CN"}}, "transcription.language"),
    ({"transcription": {"prompt": "x" * 3000}}, "transcription.prompt"),
    ({"audio": {"input_rate": 7999}}, "audio.input_rate"),
    ({"audio": {"output": {"rate": 96_000}}}, "audio.output.rate"),
    ({"audio": {"output": {"container": "mp3"}}}, "audio.output.container"),
]


def error_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert "Traceback" not in answer.text
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize(
    ("body", "field"), BAD_FIELDS, ids=[f"{i}-{f}" for i, (_, f) in enumerate(BAD_FIELDS)]
)
async def test_a_bad_field_is_named(client: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    error = error_of(await client.post("/v1/sessions", json=body), 422)
    assert error["type"] == "invalid_request_error"
    assert error["param"] == field
    assert field in error["message"]


async def test_all_bad_fields_are_in_the_message(client: httpx.AsyncClient) -> None:
    body = {"llm": {"temperature": 9, "top_p": 9}, "tts": {"length_scale": 9}}
    error = error_of(await client.post("/v1/sessions", json=body), 422)
    for field in ("llm.temperature", "llm.top_p", "tts.length_scale"):
        assert field in error["message"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b'{"llm":{"temperature":NaN}}',
        b'{"llm":{"temperature":1e999}}',
        b'{"instructions":"\\ud800"}',
        b'{"messages":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b"\xff\xfe",
    ],
    ids=range(11),
)
async def test_a_body_that_is_no_session_is_refused(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/v1/sessions", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    error_of(answer, answer.status_code)


async def test_a_body_that_is_not_json_is_said_to_be_that(client: httpx.AsyncClient) -> None:
    error = error_of(await client.post("/v1/sessions", content=b'{"llm"', headers=JSON), 422)
    assert error["message"] == "The body is not JSON."
    assert error["param"] is None


async def test_too_large_a_body_is_refused(client: httpx.AsyncClient) -> None:
    body = {"messages": [{"role": "user", "content": "x" * 50_000}] * 3}
    assert error_of(await client.post("/v1/sessions", json=body), 413)["code"] == "body_too_large"


@pytest.mark.parametrize("session_id", ["sess_none", "no.such*id", "x" * 65, "a%20b", "%00", "默认"])
async def test_an_id_that_is_none_is_not_found(client: httpx.AsyncClient, session_id: str) -> None:
    for method in ("GET", "DELETE", "PATCH"):
        answer = await client.request(
            method, f"/v1/sessions/{session_id}", json={} if method == "PATCH" else None
        )
        assert error_of(answer, 404)["param"] == "session_id"


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x"])
async def test_a_bad_limit_is_named(client: httpx.AsyncClient, query: str) -> None:
    assert error_of(await client.get(f"/v1/sessions?{query}"), 422)["param"] == "limit"


async def test_a_made_up_cursor_is_named(client: httpx.AsyncClient) -> None:
    assert error_of(await client.get("/v1/sessions?after=nonsense"), 422)["param"] == "after"


async def test_unknown_routes_and_methods_have_the_same_shape(client: httpx.AsyncClient) -> None:
    assert error_of(await client.get("/v1/nothing"), 404)["code"] == "not_found"
    assert error_of(await client.put("/v1/sessions"), 405)["code"] == "method_not_allowed"


async def test_the_openapi_document_has_the_routes_and_their_errors(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    paths = document["paths"]
    assert set(paths["/v1/sessions"]) == {"post", "get"}
    assert set(paths["/v1/sessions/{session_id}"]) == {"get", "patch", "delete"}
    assert {"201", "401", "413", "422", "503"} <= set(paths["/v1/sessions"]["post"]["responses"])
    for status in ("404", "422"):
        answer = paths["/v1/sessions/{session_id}"]["get"]["responses"][status]
        assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorBody")
    scale = document["components"]["schemas"]["TtsSettings"]["properties"]["length_scale"]
    assert "half the speed" in scale["description"]
