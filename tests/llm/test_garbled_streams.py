"""Whatever a server streams, however it is cut: an answer that ends, or a WorkError; and then a next turn."""

import itertools
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialtone.bus import WorkError
from dialtone.v1.turn_pb2 import TextDelta
from tests.fixtures.chat_answers import openai_chunk
from tests.fixtures.chat_server import ChatServer, Cut, Reply, sse
from tests.llm.conftest import MakeHttp
from tests.llm.conversations import done_of, read, text_of, turn

_CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": '{"a'}}
_GOOD = [
    sse(openai_chunk({"role": "assistant", "content": ""})),
    sse(openai_chunk({"content": "Grüße 你好 "})),
    sse(openai_chunk({"content": "\x00\u2028🙂."})),
    sse(openai_chunk({"tool_calls": [_CALL]})),
    sse(openai_chunk({"tool_calls": [{"index": 0, "function": {"arguments": '": 1}'}}]})),
    sse(openai_chunk({"tool_calls": [{**_CALL, "id": "b"}]})),
    sse(openai_chunk({}, "stop")),
    b"data: [DONE]\n\n",
]
_BAD = [
    b'data: {"choices": [{"index": 0, "delta": {"content": "tru',
    b'data: {"choices": [{"index": 0, "delta": {"content": 5}}]}\n\n',
    b'data: {"choices": [{"index": 0, "delta": {"content": "\\ud800"}}]}\n\n',
    b'data: {"choices": {"0": []}}\n\n',
    b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": -1}]}}]}\n\n',
    b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {}}]}}]}\n\n',
    b'data: {"usage": {"prompt_tokens": -5, "completion_tokens": 1e999}}\n\n',
    b'data: {"error": {"code": null}}\n\n',
    b"data: " + b"[" * 5000 + b"\n\n",
    b"data: " + b"x" * 1_200_000 + b"\n",
    b"data:\r\r\n\n\r",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf",
    b"event: error\nid: \x00\nretry: -1\n\n",
    b"<html>502</html>",
]
_PIECES = st.lists(
    st.one_of(st.sampled_from(_GOOD), st.sampled_from(_BAD), st.binary(max_size=40)), max_size=12
)


@given(pieces=_PIECES, line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]), data=st.data(), cut=st.booleans())
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_an_answer_ends_or_fails_with_a_reason(
    chat_server: ChatServer,
    make_http: MakeHttp,
    pieces: list[bytes],
    line_end: bytes,
    data: st.DataObject,
    cut: bool,
) -> None:
    stream = b"".join(pieces).replace(b"\n", line_end)
    edges = sorted({0, len(stream), *data.draw(st.lists(st.integers(0, len(stream)), max_size=8))})
    parts: list[bytes | float | type[Cut]] = [
        part for start, end in itertools.pairwise(edges) for part in (stream[start:end], 0.0005)
    ]
    chat_server.script.append(Reply([*parts, Cut] if cut else parts))
    backend = make_http(limits={"retries": 0, "first_token_s": 5.0, "inter_token_s": 2.0})
    with suppress(WorkError):
        events = await read(backend.stream(turn("Hi", tools=("f",))))
        done_of(events)
        said = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert "\x00" not in said
        said.encode()
    assert text_of(await read(backend.stream(turn("Hi"))))


@given(size=st.integers(1, 7))
@settings(max_examples=7, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_stream_in_pieces_of_any_few_bytes_is_read_whole(
    chat_server: ChatServer, make_http: MakeHttp, size: int
) -> None:
    stream = b"".join(_GOOD[1:3] + _GOOD[-2:]).replace(b"\n", b"\r\n")
    parts: list[bytes | float | type[Cut]] = [
        part for at in range(0, len(stream), size) for part in (stream[at : at + size], 0.0)
    ]
    chat_server.script.append(Reply(parts))
    assert text_of(await read(make_http().stream(turn("Hi")))) == "Grüße 你好 \u2028🙂."
