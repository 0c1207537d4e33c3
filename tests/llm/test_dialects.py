"""Servers with OpenAI's chat completions, each in its own shape and set up as docs/backends.md has it."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from dialtone.llm.kinds import KINDS
from dialtone.llm.model_entry import ModelEntry
from dialtone.v1.turn_pb2 import Message, TurnDone
from dialtone.vendors.failures import UpstreamFailure
from tests.fixtures.chat_answers import CACHED_TOKENS, TEXT, Answer, Call
from tests.fixtures.chat_dialects import DIALECTS, DONE, THINKING
from tests.fixtures.chat_server import ChatServer, Reply, sse
from tests.llm.conftest import MakeHttp
from tests.llm.conversations import calls_of, done_of, read, read_until_failure, text_of, turn
from tests.llm.documented import documented, documented_backend

_HEARD = "You said something,"


def test_the_document_has_settings_for_every_server_and_they_are_entries() -> None:
    assert {*DIALECTS, "minimax"} == set(documented())
    for entry in documented().values():
        ModelEntry.model_validate(entry)
    assert set(ModelEntry.model_fields["backend"].annotation.__args__) == set(KINDS)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", DIALECTS)
def test_the_shapes_are_chunks_to_openais_own_types(name: str) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream_options": {"include_usage": True}}
    answer = Answer("Well. ", [Call("f", '{"a": 1}', "c1")])
    events = [event for event in DIALECTS[name].stream(answer, body) if not isinstance(event, bytes)]
    chunks = [ChatCompletionChunk.model_validate(event) for event in events]
    parts = [part for chunk in chunks for one in chunk.choices for part in one.delta.tool_calls or ()]
    told = "".join((part.function and part.function.arguments) or "" for part in parts)
    assert told == '{"a": 1}'


@pytest.mark.parametrize("name", THINKING)
async def test_the_settings_keep_a_model_from_thinking(
    chat_server: ChatServer, make_http: MakeHttp, name: str
) -> None:
    await read(documented_backend(make_http, chat_server, name).stream(turn("Hi")))
    [seen] = chat_server.seen
    sent = list(DIALECTS[name].stream(Answer("Hello."), seen.body))
    assert not any("eason" in key for event in sent for key in _delta(event))
    assert seen.body["model"] == documented()[name]["model"]


def _delta(event: Any) -> list[str]:
    choices = [] if isinstance(event, bytes) else event["choices"]
    return [key for choice in choices for key, value in choice["delta"].items() if value]


@pytest.mark.parametrize("name", THINKING)
async def test_what_a_model_thinks_all_the_same_is_not_spoken(
    chat_server: ChatServer, make_http: MakeHttp, name: str
) -> None:
    backend = documented_backend(make_http, chat_server, name, extra_body={})
    events = await read(backend.stream(turn("Hi")))
    assert text_of(events) == TEXT
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_STOP


@pytest.mark.parametrize("name", DIALECTS)
async def test_an_answer_goes_on_where_it_was_left(
    chat_server: ChatServer, make_http: MakeHttp, name: str
) -> None:
    backend = documented_backend(make_http, chat_server, name)
    assert text_of(await read(backend.stream(turn("Hi"), _HEARD))) == TEXT.removeprefix(_HEARD)


@pytest.mark.parametrize("name", DIALECTS)
async def test_calls_side_by_side_are_told_apart_and_tokens_counted(
    chat_server: ChatServer, make_http: MakeHttp, name: str
) -> None:
    backend = documented_backend(make_http, chat_server, name)
    events = await read(backend.stream(turn("The weather in Paris and in Tokyo?", tools=("get_weather",))))
    calls = calls_of(events)
    assert [arguments for _, _, arguments in calls] == ['{"city": "Paris"}', '{"city": "Tokyo"}']
    assert len({call_id for call_id, _, _ in calls}) == 2
    done = done_of(events)
    assert done.finish_reason == TurnDone.FINISH_REASON_TOOL_CALLS
    assert (done.usage.input_tokens, done.usage.output_tokens) == (21, 10)
    assert done.usage.cached_tokens == (0 if name == "ollama" else CACHED_TOKENS)


@pytest.mark.parametrize("name", DIALECTS)
async def test_a_function_that_was_demanded_is_a_call_whatever_the_finish_reason(
    chat_server: ChatServer, make_http: MakeHttp, name: str
) -> None:
    asked = turn("Hi", tools=("get_weather",))
    asked.tool_choice = "function:get_weather"
    done = done_of(await read(documented_backend(make_http, chat_server, name).stream(asked)))
    assert done.finish_reason == TurnDone.FINISH_REASON_TOOL_CALLS


@pytest.mark.parametrize("name", DIALECTS)
async def test_a_call_and_its_result_go_back(chat_server: ChatServer, make_http: MakeHttp, name: str) -> None:
    asked = turn("Is it warm in Paris?", tools=("get_weather",))
    call = asked.messages.add(role=Message.ROLE_ASSISTANT).tool_calls.add(call_id="c", name="get_weather")
    call.arguments = '{"city": "Paris"}'
    asked.messages.add(role=Message.ROLE_TOOL, tool_call_id="c", text="25 degrees")
    events = await read(documented_backend(make_http, chat_server, name).stream(asked))
    assert text_of(events) == "I looked it up: 25 degrees."


# --- what they refuse, in their words

_TOO_LONG = "context_length_exceeded"
_VLLM_LONG = (
    "This model's maximum context length is 2048 tokens. However, you requested 9000 tokens in the messages, "
    "Please reduce the length of the messages."
)
_SGLANG_LONG = "The input (9000 tokens) is longer than the model's context length (2048 tokens)."
_LLAMA_LONG = "request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it"


def _sglang(message: str, code: int, kind: str = "BadRequestError") -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def _error(message: str, kind: str, code: object = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


@pytest.mark.parametrize(
    ("name", "status", "body", "code", "requests"),
    [
        ("vllm", 400, _error(_VLLM_LONG, "BadRequestError", 400), _TOO_LONG, 1),
        ("vllm", 404, _error("The model `x` does not exist.", "NotFoundError", 404), "model_not_found", 1),
        ("vllm", 401, {"error": "Unauthorized"}, "invalid_api_key", 1),
        ("vllm", 503, {"detail": "Service Unavailable"}, "overloaded", 2),
        ("sglang", 400, _sglang(_SGLANG_LONG, 400), _TOO_LONG, 1),
        ("sglang", 500, _sglang(f"Internal server error: {_SGLANG_LONG}", 500), _TOO_LONG, 1),
        ("sglang", 400, _sglang("Template error", 400), "invalid_request", 1),
        ("sglang", 503, _sglang("The request queue is full.", 503, "503"), "overloaded", 2),
        ("llama-cpp", 400, _error(_LLAMA_LONG, "exceed_context_size_error", 400), _TOO_LONG, 1),
        ("llama-cpp", 503, _error("Loading model", "unavailable_error", 503), "overloaded", 2),
        ("ollama", 404, _error("model 'x' not found", "not_found_error"), "model_not_found", 1),
        ("ollama", 500, _error("model runner has stopped", "api_error"), "upstream_error", 2),
        ("ollama", 503, _error("server busy, please try again.", "api_error"), "overloaded", 2),
        ("deepseek", 400, _error(_VLLM_LONG, "invalid_request_error", "invalid_request_error"), _TOO_LONG, 1),
        ("deepseek", 402, _error("Insufficient Balance", "unknown_error", "x"), "insufficient_quota", 1),
        ("deepseek", 422, _error("Failed to deserialize", "invalid_request_error"), "invalid_request", 1),
        ("deepseek", 429, _error("Rate limit reached", "rate_limit"), "rate_limited", 1),
        ("qwen", 400, _error("Output data may...", "x", "data_inspection_failed"), "content_filter", 1),
        ("qwen", 400, _error("Access denied", "Arrearage", "Arrearage"), "insufficient_quota", 1),
        ("qwen", 404, _error("no such model", "x", "model_not_found"), "model_not_found", 1),
        ("qwen", 429, _error("too fast", "limit_requests", "limit_requests"), "rate_limited", 1),
        ("gpt", 400, _error("too long", "invalid_request_error", "context_length_exceeded"), _TOO_LONG, 1),
        ("gpt", 429, _error("pay", "insufficient_quota", "insufficient_quota"), "insufficient_quota", 1),
    ],
)
async def test_a_refusal_has_our_name_and_their_words(
    chat_server: ChatServer,
    make_http: MakeHttp,
    name: str,
    status: int,
    body: dict[str, Any],
    code: str,
    requests: int,
) -> None:
    chat_server.script += [Reply([json.dumps(body).encode()], status, "application/json")] * 3
    with pytest.raises(UpstreamFailure) as failed:
        await read(documented_backend(make_http, chat_server, name).stream(turn("Hi")))
    assert failed.value.code == code
    assert failed.value.detail
    assert failed.value.detail in json.dumps(body)
    assert len(chat_server.seen) == requests


_VLLM_BROKEN = _error("Internal server error", "InternalServerError", 500)
_QWEN_FILTER = _error("Output data may...", "data_inspection_failed", "data_inspection_failed")


def _ends(reason: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": reason}]}


def _says(text: str) -> bytes:
    return sse({"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]})


@pytest.mark.parametrize(
    ("name", "ending", "code", "again"),
    [
        ("vllm", [sse(_VLLM_BROKEN), DONE], "upstream_error", True),
        ("vllm", [sse(_sglang("engine died", 500)), DONE], "upstream_error", True),  # before 0.10
        ("vllm", [sse(_ends("abort")), DONE], "upstream_cut", True),
        ("vllm", [sse(_error(_VLLM_LONG, "BadRequestError", 400)), DONE], _TOO_LONG, False),
        ("sglang", [sse({"error": _sglang("out of memory", 500)}), DONE], "upstream_error", True),
        ("sglang", [sse(_ends("abort")), DONE], "upstream_cut", True),
        ("llama-cpp", [sse(_error("slot failed", "server_error", 500))], "upstream_error", True),
        (
            "llama-cpp",
            [b'error: {"code": 500, "message": "slot failed"}\n\n'],
            "upstream_cut",
            True,
        ),  # until 2025
        ("ollama", [_says("")], "upstream_cut", True),
        ("deepseek", [sse(_ends("insufficient_system_resource")), DONE], "upstream_cut", True),
        ("qwen", [sse(_QWEN_FILTER)], "content_filter", False),
    ],
)
async def test_a_model_that_breaks_before_the_first_word_is_asked_again_if_that_can_help(
    chat_server: ChatServer, make_http: MakeHttp, name: str, ending: list[bytes], code: str, again: bool
) -> None:
    backend = documented_backend(make_http, chat_server, name)
    chat_server.script += [Reply([_says(""), *ending])]
    if again:
        assert text_of(await read(backend.stream(turn("Hi")))) == TEXT
    chat_server.script += [Reply([_says(""), *ending])] * 2
    with pytest.raises(UpstreamFailure) as failed:
        await read(backend.stream(turn("Hi")))
    assert failed.value.code == code
    assert len(chat_server.seen) == (4 if again else 1)


@pytest.mark.parametrize("reason", ["abort", "error", "insufficient_system_resource"])
async def test_an_answer_given_up_in_its_middle_is_gone_on_with_by_another_attempt(
    chat_server: ChatServer, make_http: MakeHttp, reason: str
) -> None:
    chat_server.script += [Reply([_says("You said"), sse(_ends(reason)), DONE])]
    backend = documented_backend(make_http, chat_server, "vllm")
    heard, failure = await read_until_failure(backend.stream(turn("Hi")))
    assert text_of(heard) == "You said"
    assert (failure.code, failure.retryable) == ("upstream_cut", True)


async def test_comments_hold_nobody_up_but_do_not_count_as_an_answer(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    chat_server.script += [Reply([b": keep-alive\n\n", 0.05], forever=True)]
    limits = {"first_token_s": 0.5, "retries": 0}
    with pytest.raises(UpstreamFailure) as failed:
        await read(documented_backend(make_http, chat_server, "deepseek", limits=limits).stream(turn("Hi")))
    assert failed.value.code == "timeout"


async def test_a_server_without_include_usage_is_not_asked_for_it(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    backend = documented_backend(make_http, chat_server, "ollama", stream_usage=False)
    done = done_of(await read(backend.stream(turn("Hi"))))
    assert "stream_options" not in chat_server.seen[0].body
    assert done.usage.input_tokens == 0
