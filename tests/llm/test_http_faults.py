"""Model servers misbehave: a turn ends with its reason or with what was good of it; the next one works."""

import itertools
import json
import socket
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialtone.bus import WorkError
from dialtone.v1.turn_pb2 import TurnDone
from dialtone.vendors.failures import UpstreamFailure
from tests.fixtures.chat_answers import openai_chunk
from tests.fixtures.chat_server import API_KEY, ChatServer, Cut, Reply, sse
from tests.llm.conftest import MakeHttp
from tests.llm.conversations import calls_of, done_of, read, read_until_failure, text_of, turn

_QUICK = {"first_token_s": 0.6, "inter_token_s": 0.3, "total_s": 1.5}
_ERROR = json.dumps({"error": {"message": "try later", "code": None}}).encode()
_DONE = b"data: [DONE]\n\n"


def _text(*words: str) -> list[bytes | float | type[Cut]]:
    return [sse(openai_chunk({"content": word})) for word in words]


def _refusal(status: int, **headers: str) -> Reply:
    wired = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply([_ERROR], status, "application/json", wired)


def _good() -> Reply:
    return Reply([*_text("Hello", " there."), sse(openai_chunk({}, "stop")), _DONE])


# --- retries: before the first token, counted, and only where another try can help


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_passing_failure_is_tried_once_more(
    chat_server: ChatServer, make_http: MakeHttp, status: int
) -> None:
    chat_server.script += [_refusal(status), _good()]
    assert text_of(await read(make_http().stream(turn("Hi")))) == "Hello there."
    assert len(chat_server.seen) == 2


@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [
        (500, "upstream_error", 2),
        (503, "overloaded", 2),
        (400, "invalid_request", 1),
        (401, "invalid_api_key", 1),
        (403, "invalid_api_key", 1),
        (404, "model_not_found", 1),
        (429, "rate_limited", 1),
    ],
)
async def test_a_lasting_failure_has_a_name(
    chat_server: ChatServer, make_http: MakeHttp, status: int, code: str, requests: int
) -> None:
    chat_server.script += [_refusal(status)] * 5
    with pytest.raises(UpstreamFailure) as failed:
        await read(make_http().stream(turn("Hi")))
    assert failed.value.code == code
    assert "try later" not in failed.value.message
    assert failed.value.detail == "try later"
    assert not failed.value.retryable
    assert len(chat_server.seen) == requests


@pytest.mark.parametrize("header", [{"retry_after": "1"}, {"retry_after_ms": "700"}])
async def test_a_short_retry_after_is_waited_out(
    chat_server: ChatServer, make_http: MakeHttp, header: dict[str, str]
) -> None:
    chat_server.script += [_refusal(429, **header), _good()]
    start = time.monotonic()
    assert text_of(await read(make_http().stream(turn("Hi"))))
    assert 0.65 < time.monotonic() - start < 2.5


async def test_a_long_retry_after_is_not(chat_server: ChatServer, make_http: MakeHttp) -> None:
    chat_server.script += [_refusal(429, retry_after="30"), _good()]
    with pytest.raises(WorkError) as failed:
        await read(make_http().stream(turn("Hi")))
    assert failed.value.code == "rate_limited"


async def test_a_server_that_is_not_there(make_http: MakeHttp) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        backend = make_http(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        start = time.monotonic()
        with pytest.raises(WorkError) as failed:
            await read(backend.stream(turn("Hi")))
    assert failed.value.code == "upstream_unreachable"
    assert time.monotonic() - start < 2


async def test_a_connection_that_breaks_before_the_first_token_is_tried_again(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    chat_server.script += [Reply([sse(openai_chunk({"role": "assistant", "content": ""})), Cut]), _good()]
    assert text_of(await read(make_http().stream(turn("Hi")))) == "Hello there."


async def test_one_that_breaks_later_leaves_it_to_another_attempt(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    chat_server.script += [Reply([*_text("Hello"), 0.05, Cut]), _good()]
    heard, failure = await read_until_failure(make_http().stream(turn("Hi")))
    assert text_of(heard) == "Hello"
    assert failure.code == "upstream_cut"
    assert failure.retryable
    assert len(chat_server.seen) == 1


# --- the clock


@pytest.mark.parametrize(
    "parts",
    [
        [5.0],
        [b": still here\n\n"],
        [sse(openai_chunk({"role": "assistant", "content": ""})), 5.0],
        [*_text("Hello"), 5.0],
        [*_text("Hello"), b": still here\n\n"],
    ],
    ids=["silent", "comments", "only the role", "stalled", "stalled with comments"],
)
async def test_a_server_that_stalls_is_given_up(
    chat_server: ChatServer, make_http: MakeHttp, parts: list[bytes | float | type[Cut]]
) -> None:
    chat_server.script += [Reply(parts, forever=True)]
    start = time.monotonic()
    with pytest.raises(WorkError) as failed:
        await read(make_http(limits=_QUICK).stream(turn("Hi")))
    assert failed.value.code == "timeout"
    assert time.monotonic() - start < 1.2
    await chat_server.until_idle(0.5)
    assert text_of(await read(make_http().stream(turn("Hi"))))


async def test_an_answer_without_end_is_cut_at_its_time(chat_server: ChatServer, make_http: MakeHttp) -> None:
    chat_server.script += [Reply([sse(openai_chunk({"content": "la "})), 0.05, *_text("la ")], forever=True)]
    start = time.monotonic()
    events = await read(make_http(limits=_QUICK).stream(turn("Sing")))
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_LENGTH
    assert text_of(events).startswith("la la")
    assert time.monotonic() - start < 2.5
    await chat_server.until_idle(0.5)


async def test_or_at_its_length(chat_server: ChatServer, make_http: MakeHttp) -> None:
    chat_server.script += [Reply(_text("la " * 3000), forever=True)]
    events = await read(make_http().stream(turn("Sing")))
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_LENGTH
    assert len(text_of(events)) < 70_000
    await chat_server.until_idle(0.5)


async def test_a_stream_left_open_after_its_end_holds_nobody_up(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    chat_server.script += [Reply([*_text("Hello"), sse(openai_chunk({}, "stop")), 30.0])]
    start = time.monotonic()
    assert done_of(await read(make_http().stream(turn("Hi")))).finish_reason == TurnDone.FINISH_REASON_STOP
    assert time.monotonic() - start < 1.5


# --- streams that are not what they should be

_CHUNKS = [openai_chunk({"content": word}) for word in ("Gr", "üße", " 你好 🙂", "!")]
_ANSWER = b"".join(sse(chunk) for chunk in [*_CHUNKS, openai_chunk({}, "stop")]).replace(b"\n", b"\r\n")


@given(cuts=st.lists(st.integers(0, len(_ANSWER)), max_size=8))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_cuts_inside_lines_and_characters(
    chat_server: ChatServer, make_http: MakeHttp, cuts: list[int]
) -> None:
    edges = [0, *sorted(cuts), len(_ANSWER)]
    parts: list[bytes | float | type[Cut]] = []
    for start, end in itertools.pairwise(edges):
        parts += [_ANSWER[start:end], 0.0005]
    chat_server.script.append(Reply(parts))
    assert text_of(await read(make_http().stream(turn("Hi")))) == "Grüße 你好 🙂!"


@pytest.mark.parametrize(
    "bad",
    [
        b'data: {"choices": [{"delta": {"content": "tru\n\n',
        b"data: not json\n\n",
        b'data: {"choices": [{"index": 0, "delta": {"content": 5}}]}\n\n',
        b'data: {"choices": [{"index": 0, "delta": {"content": "\xff\xfe"}}]}\n\n',
        b'data: {"choices": [{"index": 0, "delta": {"content": "\\ud800"}}]}\n\n',
        b'data: {"choices": []}\n\n',
        b'data: {"choices": null}\n\n',
        b"data: {}\n\n",
        b'data: {"choices": [{"index": 1, "delta": {"content": "another choice"}}]}\n\n',
        b'data: {"choices": [{"index": 0, "delta": {"reasoning_content": "They said hi."}}]}\n\n',
        b'data: {"choices": [{"index": 0, "delta": {"content": "<think>Hm.</think>"}}]}\n\n',
        b"data: " + b"x" * 3_000_000 + b"\n\n",
        b": comment\nevent: ping\n\n",
    ],
)
async def test_one_bad_chunk_costs_only_itself(
    chat_server: ChatServer, make_http: MakeHttp, bad: bytes
) -> None:
    chat_server.script += [
        Reply([*_text("Hello"), bad, *_text(" there."), sse(openai_chunk({}, "stop")), _DONE])
    ]
    events = await read(make_http().stream(turn("Hi")))
    assert text_of(events) == "Hello there."
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_STOP


async def test_a_nul_is_not_spoken(chat_server: ChatServer, make_http: MakeHttp) -> None:
    chat_server.script += [Reply([*_text("a\x00b"), sse(openai_chunk({}, "stop"))])]
    assert text_of(await read(make_http().stream(turn("Hi")))) == "ab"


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ([sse(openai_chunk({}, "stop"))], TurnDone.FINISH_REASON_STOP),
        ([_DONE], TurnDone.FINISH_REASON_STOP),
        ([sse(openai_chunk({}, "content_filter")), _DONE], TurnDone.FINISH_REASON_CONTENT_FILTER),
        ([], TurnDone.FINISH_REASON_LENGTH),
    ],
    ids=["no [DONE]", "no finish reason", "filtered", "neither"],
)
async def test_however_a_stream_ends_the_turn_does(
    chat_server: ChatServer, make_http: MakeHttp, ending: list[bytes], reason: int
) -> None:
    chat_server.script += [Reply([*_text("Hello"), *ending])]
    events = await read(make_http().stream(turn("Hi")))
    assert text_of(events) == "Hello"
    assert done_of(events).finish_reason == reason


async def test_an_answer_of_nothing_is_an_answer(chat_server: ChatServer, make_http: MakeHttp) -> None:
    chat_server.script += [Reply([b'data: {"choices": []}\n\n', sse(openai_chunk({}, "stop")), _DONE])]
    events = await read(make_http().stream(turn("Hi")))
    assert [type(event) for event in events] == [TurnDone]


@pytest.mark.parametrize(
    "reply",
    [
        Reply([b"<html><body>Bad gateway</body></html>"], content_type="text/html"),
        Reply([b"\x00\x01"], content_type="image/png"),
        Reply([b"data: <html>\n\n" * 5]),
        Reply([]),
        Reply([b'"surprise"'], content_type="application/json"),
        Reply([b"{"], content_type="application/json"),
    ],
    ids=["html", "image", "garbage", "empty", "other json", "broken json"],
)
async def test_what_is_no_answer_at_all_fails(
    chat_server: ChatServer, make_http: MakeHttp, reply: Reply
) -> None:
    chat_server.script += [reply]
    backend = make_http()
    with pytest.raises(WorkError) as failed:
        await read(backend.stream(turn("Hi")))
    assert failed.value.code == "bad_upstream"
    assert text_of(await read(backend.stream(turn("Hi"))))


async def test_an_answer_that_is_not_streamed_is_taken(chat_server: ChatServer, make_http: MakeHttp) -> None:
    message = {"role": "assistant", "content": "Hello there."}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    chat_server.script += [Reply([json.dumps(body).encode()], content_type="application/json")]
    assert text_of(await read(make_http().stream(turn("Hi")))) == "Hello there."


async def test_an_error_inside_the_stream_is_an_error(chat_server: ChatServer, make_http: MakeHttp) -> None:
    chat_server.script += [
        Reply([*_text("Hello"), sse({"error": {"message": "out of memory", "code": 500}})])
    ]
    with pytest.raises(UpstreamFailure, match="HTTP 500") as failed:
        await read(make_http().stream(turn("Hi")))
    assert failed.value.detail == "out of memory"


async def test_duplicate_indices_are_separate_calls(chat_server: ChatServer, make_http: MakeHttp) -> None:
    parts = [
        {"index": 0, "id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for call_id in ("a", "b")
    ]
    chunks = [sse(openai_chunk({"tool_calls": [part]})) for part in parts]
    chat_server.script += [Reply([*chunks, sse(openai_chunk({}, "stop")), _DONE])]
    events = await read(make_http().stream(turn("Hi", tools=("f",))))
    assert calls_of(events) == [("a", "f", "{}"), ("b", "f", "{}")]
    assert done_of(events).finish_reason == TurnDone.FINISH_REASON_TOOL_CALLS


# --- what is told of it


async def test_what_a_server_repeats_of_itself_is_told_in_short(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    chat_server.script += [Reply([b"x"], content_type="application/" + "x" * 4000)]
    _, failure = await read_until_failure(make_http().stream(turn("Hi")))
    assert "application/x" in failure.message
    assert len(failure.message) < 150


async def test_a_key_at_the_edge_of_what_is_kept_of_a_refusal_is_blotted_whole(
    chat_server: ChatServer, make_http: MakeHttp
) -> None:
    chat_server.script += [Reply([b"x" * 190 + API_KEY.encode()], 400, "text/plain")]
    _, failure = await read_until_failure(make_http().stream(turn("Hi")))
    assert isinstance(failure, UpstreamFailure)
    assert failure.detail == "x" * 190 + "***"
