"""MiniMax's own ways: errors inside a 200, reasoning beside the answer, a summary at the end."""

import json
from typing import Any

import pytest

from dialtone.v1.turn_pb2 import TurnDone
from dialtone.vendors.failures import UpstreamFailure
from tests.fixtures.chat_answers import minimax_chunk
from tests.fixtures.chat_server import API_KEY, ChatServer, Reply, sse
from tests.llm.conftest import MakeHttp
from tests.llm.conversations import calls_of, done_of, read, read_until_failure, text_of, turn


def _base_resp(code: int, message: str = "no") -> dict[str, Any]:
    return {"base_resp": {"status_code": code, "status_msg": message}}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [
        (1000, "upstream_error", 2),
        (1002, "rate_limited", 1),
        (1004, "invalid_api_key", 1),
        (1008, "insufficient_quota", 1),
        (1013, "upstream_error", 2),
        (1027, "content_filter", 1),
        (1039, "rate_limited", 1),
        (2013, "invalid_request", 1),
        (2049, "invalid_api_key", 1),
    ],
)
async def test_an_error_inside_a_200_is_an_error(
    chat_server: ChatServer, make_http: MakeHttp, status: int, code: str, requests: int, streamed: bool
) -> None:
    body = _base_resp(status, "what is wrong")
    plain = Reply([json.dumps(body).encode()], content_type="application/json")
    reply = Reply([sse(body)]) if streamed else plain
    chat_server.script += [reply] * 3
    with pytest.raises(UpstreamFailure, match=str(status)) as failed:
        await read(make_http("minimax").stream(turn("Hi")))
    assert failed.value.code == code
    assert failed.value.detail == "what is wrong"
    assert len(chat_server.seen) == requests


async def test_a_key_that_an_error_repeats_is_not_kept_by_half(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    body = _base_resp(2049, "-" * 190 + API_KEY)
    chat_server.script += [Reply([sse(body)])]
    with pytest.raises(UpstreamFailure) as failed:
        await read(make_http("minimax").stream(turn("Hi")))
    assert failed.value.detail == "-" * 190 + "***"


async def test_an_error_in_mid_answer_ends_it(chat_server: ChatServer, make_http: MakeHttp) -> None:
    chat_server.script += [Reply([sse(minimax_chunk({"content": "Hello"})), sse(_base_resp(1013))])]
    heard, _ = await read_until_failure(make_http("minimax").stream(turn("Hi")))
    assert text_of(heard) == "Hello"
    assert len(chat_server.seen) == 1


async def test_reasoning_is_not_spoken_and_the_summary_not_repeated(make_http: MakeHttp) -> None:
    events = await read(make_http("minimax").stream(turn("Hi")))
    assert text_of(events) == "You said something, and this is the answer."
    done = done_of(events)
    assert done.finish_reason == TurnDone.FINISH_REASON_STOP
    assert (done.usage.input_tokens, done.usage.output_tokens) == (21, 10)


async def test_a_summary_alone_is_the_answer(chat_server: ChatServer, make_http: MakeHttp) -> None:
    message = {"role": "assistant", "content": "<think>Short.</think>\nHello."}
    chat_server.script += [
        Reply([sse({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})])
    ]
    assert text_of(await read(make_http("minimax").stream(turn("Hi")))) == "Hello."


async def test_tool_calls_come_once(make_http: MakeHttp) -> None:
    events = await read(
        make_http("minimax").stream(turn("The weather in Paris and Tokyo?", tools=("get_weather",)))
    )
    assert [call_id for call_id, _, _ in calls_of(events)] == ["call_0_paris", "call_1_tokyo"]
