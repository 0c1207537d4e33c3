"""A tool is called and its result comes back, with each vendor's API."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from dialtone.bus import WorkError
from dialtone.gateway.core.chat_messages import messages_of
from dialtone.gateway.core.items import FunctionCallItem, FunctionCallOutputItem, InputText, Item, MessageItem
from dialtone.v1.turn_pb2 import LlmTurn, Message, TurnDone
from tests.fixtures.chat_answers import Answer, Call, minimax_chunk, openai_chunk
from tests.fixtures.chat_server import ChatServer, Reply, sse
from tests.llm.conftest import MakeHttp
from tests.llm.conversations import calls_of, done_of, read, read_until_failure, text_of, turn

_KINDS = pytest.mark.parametrize("kind", ["openai", "minimax"])
_DONE = b"data: [DONE]\n\n"


def _weather(*cities: str) -> LlmTurn:
    return turn(f"What is the weather in {' and '.join(cities)}?", tools=("get_weather", "hang_up"))


def _answer_calls(asked: LlmTurn, said: str, calls: list[tuple[str, str, str]], *results: str) -> None:
    message = asked.messages.add(role=Message.ROLE_ASSISTANT, text=said)
    for call_id, name, arguments in calls:
        message.tool_calls.add(call_id=call_id, name=name, arguments=arguments)
    for (call_id, _, _), result in zip(calls, results, strict=False):
        asked.messages.add(role=Message.ROLE_TOOL, tool_call_id=call_id, text=result)


@_KINDS
async def test_a_call_and_its_result_make_an_answer(make_http: MakeHttp, kind: str) -> None:
    backend = make_http(kind)
    asked = _weather("Paris")
    first = await read(backend.stream(asked))
    [(call_id, name, arguments)] = calls_of(first)
    assert (name, json.loads(arguments)) == ("get_weather", {"city": "Paris"})
    assert done_of(first).finish_reason == TurnDone.FINISH_REASON_TOOL_CALLS
    _answer_calls(asked, "", [(call_id, name, arguments)], "21 degrees")
    second = await read(backend.stream(asked))
    assert text_of(second) == "I looked it up: 21 degrees."
    assert done_of(second).finish_reason == TurnDone.FINISH_REASON_STOP


@_KINDS
async def test_parallel_calls_are_answered_together(make_http: MakeHttp, kind: str) -> None:
    backend = make_http(kind)
    asked = _weather("Paris", "Tokyo")
    calls = calls_of(await read(backend.stream(asked)))
    assert [json.loads(arguments)["city"] for _, _, arguments in calls] == ["Paris", "Tokyo"]
    assert len({call_id for call_id, _, _ in calls}) == 2
    _answer_calls(asked, "", calls, "sun", "rain")
    assert text_of(await read(backend.stream(asked))) == "I looked it up: sun; rain."


@_KINDS
async def test_one_call_at_a_time_where_the_session_wants_that(
    chat_server: ChatServer, make_http: MakeHttp, kind: str
) -> None:
    two = [Call("get_weather", '{"city": "Paris"}', "a"), Call("get_weather", '{"city": "Tokyo"}', "b")]
    chat_server.rules.insert(0, lambda _: Answer(calls=two))  # it calls both nonetheless
    asked = _weather("Paris", "Tokyo")
    asked.parallel_tool_calls = False
    assert [call_id for call_id, _, _ in calls_of(await read(make_http(kind).stream(asked)))] == ["a"]


@_KINDS
async def test_text_may_come_before_a_call(chat_server: ChatServer, make_http: MakeHttp, kind: str) -> None:
    call = Call("get_weather", '{"city": "Paris"}', "a")
    chat_server.rules.insert(0, lambda body: _once(body, Answer("One moment.", [call])))
    backend = make_http(kind)
    asked = _weather("Paris")
    events = await read(backend.stream(asked))
    assert text_of(events) == "One moment."
    assert calls_of(events) == [("a", "get_weather", '{"city": "Paris"}')]
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_TOOL_CALLS
    _answer_calls(asked, "One moment.", calls_of(events), "sun")
    assert text_of(await read(backend.stream(asked))) == "I looked it up: sun."
    assert chat_server.seen[1].body["messages"][2]["content"] == "One moment."


def _once(body: Mapping[str, Any], answer: Answer) -> Answer | None:
    return answer if body["messages"][-1]["role"] == "user" else None


@_KINDS
async def test_a_turn_may_do_without_tools(chat_server: ChatServer, make_http: MakeHttp, kind: str) -> None:
    asked = _weather("Paris")
    asked.tool_choice = "none"
    events = await read(make_http(kind).stream(asked))
    assert not calls_of(events)
    assert text_of(events)
    assert "tools" not in chat_server.seen[0].body


@_KINDS
@pytest.mark.parametrize(("choice", "name"), [("required", "get_weather"), ("function:hang_up", "hang_up")])
async def test_a_call_can_be_demanded(
    chat_server: ChatServer, make_http: MakeHttp, kind: str, choice: str, name: str
) -> None:
    if kind == "minimax":  # cannot be forced: it is told to
        chat_server.rules.insert(0, _does_as_it_is_told)
    asked = turn("Tell me a joke.", tools=("get_weather", "hang_up"))
    asked.tool_choice = choice
    events = await read(make_http(kind).stream(asked))
    assert [called for _, called, _ in calls_of(events)] == [name]


def _does_as_it_is_told(body: Mapping[str, Any]) -> Answer | None:
    if "nothing but a call" not in body["messages"][0]["content"]:
        return None
    return Answer(calls=[Call(body["tools"][0]["function"]["name"], "{}", "a")])


@_KINDS
async def test_a_choice_of_no_tool_of_the_session_is_refused(make_http: MakeHttp, kind: str) -> None:
    asked = _weather("Paris")
    asked.tool_choice = "function:nonesuch"
    with pytest.raises(WorkError, match="nonesuch") as refused:
        await read(make_http(kind).stream(asked))
    assert refused.value.code == "invalid_request"


@_KINDS
async def test_whatever_a_client_leaves_undone_the_api_takes_the_conversation(
    make_http: MakeHttp, kind: str
) -> None:
    """The gateway's order of messages is one that the APIs accept."""
    half: list[Item] = [
        MessageItem("u", "user", [InputText("What is the weather in Paris and Tokyo?")]),
        FunctionCallItem("f1", "a", "get_weather", "no json"),
        FunctionCallItem("f2", "b", "f", ""),
        FunctionCallOutputItem("o1", "a", ""),
    ]
    backend = make_http(kind)
    assert text_of(await read(backend.stream(_turn_of(half)))).startswith("I looked it up: ")
    later: list[Item] = [*half, MessageItem("v", "user", [InputText("Are you there?")])]
    assert text_of(await read(backend.stream(_turn_of(later)))).startswith("You said something")
    later.append(FunctionCallOutputItem("o2", "b", "rain"))
    assert text_of(await read(backend.stream(_turn_of(later)))) == "I looked it up: rain."


def _turn_of(items: list[Item]) -> LlmTurn:
    asked = turn(tools=("get_weather", "f"))
    asked.tools[1].parameters_json = "{}"
    asked.messages.extend(messages_of(items))
    return asked


def _function(name: str | None, arguments: str | None) -> dict[str, str]:
    return {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}


_WAYS = {
    "openai": [
        [{"index": 0, "id": "a", "type": "function", "function": _function("get_weather", "")}],
        [{"index": 0, "function": _function(None, '{"ci')}],
        [{"index": 0, "function": _function(None, 'ty":"Paris"}')}],
    ],
    "whole calls in one chunk": [
        [{"index": 0, "id": "a", "function": _function("get_weather", '{"city":"Paris"}')}],
    ],
    "no index (Gemini)": [[{"id": "a", "function": _function("get_weather", '{"city":"Paris"}')}]],
    "no id": [[{"index": 0, "function": _function("get_weather", '{"city":"Paris"}')}]],
    "no index, no id, in pieces": [
        [{"function": _function("get_weather", '{"city":')}],
        [{"function": _function(None, '"Paris"}')}],
    ],
    "name and id in each piece": [
        [{"index": 0, "id": "a", "function": _function("get_weather", '{"city":')}],
        [{"index": 0, "id": "a", "function": _function("get_weather", '"Paris"}')}],
    ],
    "empty strings": [
        [{"index": 0, "id": "a", "function": _function("get_weather", "")}],
        [{"index": 0, "id": "", "function": _function("", '{"city":"Paris"}')}],
    ],
    "null arguments first": [
        [{"index": 0, "id": "a", "function": {"name": "get_weather", "arguments": None}}],
        [{"index": 0, "id": None, "function": {"name": None, "arguments": '{"city":"Paris"}'}}],
    ],
    "arguments as an object": [
        [{"index": 0, "id": "a", "function": {"name": "get_weather", "arguments": {"city": "Paris"}}}],
    ],
}


@pytest.mark.parametrize("finish", ["tool_calls", "stop", "function_call"])
@pytest.mark.parametrize("parts", _WAYS.values(), ids=_WAYS)
async def test_however_a_server_streams_a_call(
    chat_server: ChatServer, make_http: MakeHttp, parts: list[list[dict[str, Any]]], finish: str
) -> None:
    # MiniMax's chunks are OpenAI's without the strictness.
    chunks = [sse(minimax_chunk({"tool_calls": part})) for part in parts]
    chat_server.script += [Reply([*chunks, sse(minimax_chunk({}, finish)), _DONE])]
    events = await read(make_http().stream(_weather("Paris")))
    [(call_id, name, arguments)] = calls_of(events)
    assert call_id
    assert name == "get_weather"
    assert json.loads(arguments) == {"city": "Paris"}
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_TOOL_CALLS


async def test_a_call_in_tags_is_a_call_where_the_server_has_no_parser(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    text = 'Let me see. <tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'
    pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
    chunks = [sse(openai_chunk({"content": piece})) for piece in pieces]
    chat_server.script += [Reply([*chunks, sse(openai_chunk({}, "stop")), _DONE])]
    events = await read(make_http().stream(_weather("Paris")))
    assert text_of(events) == "Let me see. "
    assert [name for _, name, _ in calls_of(events)] == ["get_weather"]
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_TOOL_CALLS


@pytest.mark.parametrize(
    "delta",
    [
        {"tool_calls": [{"index": 0, "id": "a", "function": _function("get_weather", '{"city": Paris}')}]},
        {"content": '<tool_call>{"name": "get_weather", "arguments": {"city": Paris}}</tool_call>'},
        {"content": '<minimax:tool_call><invoke name="get_weather"></invoke></minimax:tool_call>'},
    ],
)
async def test_a_call_that_no_client_can_read_fails(
    chat_server: ChatServer, make_http: MakeHttp, delta: dict[str, Any]
) -> None:
    chunks = [openai_chunk({"content": "So."}), openai_chunk(delta), openai_chunk({}, "tool_calls")]
    chat_server.script += [Reply([*map(sse, chunks), _DONE])]
    heard, failure = await read_until_failure(make_http().stream(_weather("Paris")))
    assert text_of(heard) == "So."
    assert not calls_of(heard)
    assert failure.code == "bad_tool_call"
    assert failure.retryable


async def test_a_call_cut_at_the_answers_limit_is_not_made(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    part = {"index": 0, "id": "a", "function": _function("get_weather", '{"city": "Par')}
    chunks = [openai_chunk({"tool_calls": [part]}), openai_chunk({}, "length")]
    chat_server.script += [Reply([*map(sse, chunks), _DONE])]
    events = await read(make_http().stream(_weather("Paris")))
    assert not calls_of(events)
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_LENGTH


async def test_a_finish_reason_that_promises_calls_promises_too_much(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    chunks = [openai_chunk({"content": "Hello."}), openai_chunk({}, "tool_calls")]
    chat_server.script += [Reply([*map(sse, chunks), _DONE])]
    events = await read(make_http().stream(_weather("Paris")))
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_STOP


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (
            {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}},
            (9, 4, 3, 0),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"image_tokens": 5}},
            (9, 0, 3, 5),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": None}, (9, 0, 3, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 3, "prompt_cache_hit_tokens": 4}, (9, 4, 3, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 3, "cached_tokens": 4}, (9, 4, 3, 0)),
        ({"total_tokens": 0}, (0, 0, 0, 0)),
        (None, (0, 0, 0, 0)),
    ],
)
async def test_usage_is_what_the_server_says_and_else_zero(
    chat_server: ChatServer,
    make_http: MakeHttp,
    usage: dict[str, Any] | None,
    counts: tuple[int, int, int, int],
) -> None:
    chunks = [openai_chunk({"content": "Hi."}), openai_chunk({}, "stop")]
    last: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage}
    chat_server.script += [Reply([*map(sse, [*chunks, last]), _DONE])]
    done = done_of(await read(make_http().stream(turn("Hi")))).usage
    assert (done.input_tokens, done.cached_tokens, done.output_tokens, done.image_tokens) == counts
