"""Events come out whole, wherever the network cuts the stream."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dialtone.vendors.sse import SseDecoder

_LINES = [
    ": a comment",
    "event: message",
    "id: 1",
    "data: plain",
    "data:unspaced",
    "data",
    "data: 你好 🙂 \u2028",
    "",
]


def _decode(stream: bytes, cuts: list[int]) -> list[bytes]:
    decoder = SseDecoder()
    events: list[bytes] = []
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        events += decoder.feed(stream[start:end])
    return events + decoder.flush()


@given(
    lines=st.lists(st.sampled_from(_LINES), max_size=12),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    bom=st.booleans(),
    cuts=st.lists(st.integers(min_value=0), max_size=20),
)
def test_cuts_change_nothing(lines: list[str], ending: str, bom: bool, cuts: list[int]) -> None:
    stream = (b"\xef\xbb\xbf" if bom else b"") + "".join(line + ending for line in lines).encode()
    expected: list[bytes] = []
    data: list[str] = []
    for line in [*lines, ""]:
        if not line and data:
            expected.append("\n".join(data).encode())
            data = []
        elif line.startswith("data"):
            data.append(line[4:].removeprefix(":").removeprefix(" "))
    assert _decode(stream, cuts) == expected


def test_every_single_byte_may_come_alone() -> None:
    stream = 'data: {"a": "é"}\r\n\r\ndata: [DONE]\r\n\r\n'.encode()
    assert _decode(stream, list(range(len(stream)))) == ['{"a": "é"}'.encode(), b"[DONE]"]


@given(st.binary(max_size=300), st.lists(st.integers(min_value=0), max_size=5))
def test_garbage_raises_nothing(stream: bytes, cuts: list[int]) -> None:
    _decode(stream, cuts)


def test_an_endless_line_is_dropped_without_being_kept() -> None:
    decoder = SseDecoder(max_bytes=1000)
    assert decoder.feed(b"data: one\n\n") == [b"one"]
    for _ in range(100):
        assert decoder.feed(b"x" * 500) == []
        assert len(decoder._pending) <= 1000
    assert decoder.feed(b"\n\ndata: two\n\n") == [b"two"]
    assert decoder.overlong == 1


def test_many_data_lines_of_one_event_are_bounded_too() -> None:
    decoder = SseDecoder(max_bytes=1000)
    for _ in range(100):
        decoder.feed(b"data: " + b"x" * 90 + b"\n")
    assert decoder.feed(b"\ndata: two\n\n") == [b"two"]
    assert decoder.overlong
