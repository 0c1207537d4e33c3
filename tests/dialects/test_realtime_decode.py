"""What the dialects make of clients' frames, right ones and wrong ones. Of the GA names mostly; what is
of the beta protocol only has a test module of its own."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    ItemReference,
    MessageItem,
    OutputAudio,
    OutputText,
)
from dialtone.gateway.core.session import AudioFormat, FunctionTool
from dialtone.gateway.dialects.realtime import RealtimeDialect
from dialtone.gateway.dialects.realtime_beta import RealtimeBetaDialect
from dialtone.gateway.dialects.realtime_beta_session import flat_path
from dialtone.gateway.dialects.realtime_socket import MAX_APPEND
from tests.dialects.json_values import JSON, OBJECTS
from tests.dialects.wrong_frames import BETA_WRONG, GA_WRONG, WRONG, created, message, respond

Dialect = type[RealtimeDialect] | type[RealtimeBetaDialect]
DIALECTS: list[Dialect] = [RealtimeDialect, RealtimeBetaDialect]


def decode(message: Any, dialect: Dialect = RealtimeDialect) -> ask.ClientEvent | None:
    return dialect().decode(message if isinstance(message, str | bytes) else json.dumps(message))


def b64(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


SAMPLES = bytes(range(256)) * 3

EVENTS: list[tuple[dict[str, Any], ask.ClientEvent | None]] = [
    ({"type": "input_audio_buffer.append", "audio": b64(SAMPLES)}, ask.AppendAudio(audio=SAMPLES)),
    (
        {"audio": b64(SAMPLES), "more": {"x": [1]}, "event_id": "e", "type": "input_audio_buffer.append"},
        ask.AppendAudio(audio=SAMPLES, event_id="e"),
    ),
    ({"type": "input_audio_buffer.append", "audio": ""}, None),
    ({"type": "input_audio_buffer.commit", "event_id": "e"}, ask.CommitAudio(event_id="e")),
    ({"type": "input_audio_buffer.clear"}, ask.ClearAudio()),
    (
        {"type": "session.update", "session": {"type": "realtime", "instructions": "x"}, "event_id": "e"},
        ask.UpdateSession(patch={"type": "realtime", "instructions": "x"}, event_id="e"),
    ),
    ({"type": "session.update", "session": {"voice": "x"}}, ask.UpdateSession(patch={"voice": "x"})),
    (
        {"type": "conversation.item.retrieve", "item_id": "item_1"},
        ask.RetrieveItem(item_id="item_1"),
    ),
    ({"type": "conversation.item.delete", "item_id": "item_1"}, ask.DeleteItem(item_id="item_1")),
    (
        {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 1500},
        ask.TruncateItem(item_id="i", content_index=0, audio_end_ms=1500),
    ),
    (
        {"type": "conversation.item.truncate", "item_id": "i", "audio_end_ms": 1500.0},
        ask.TruncateItem(item_id="i", content_index=0, audio_end_ms=1500),
    ),
    (
        {"type": "conversation.item.truncate", "item_id": "i", "content_index": None, "audio_end_ms": 0},
        ask.TruncateItem(item_id="i", content_index=0, audio_end_ms=0),
    ),
    ({"type": "response.create"}, ask.CreateResponse()),
    ({"type": "response.create", "response": None}, ask.CreateResponse()),
    ({"type": "response.cancel"}, ask.CancelResponse()),
    ({"type": "response.cancel", "response_id": "r"}, ask.CancelResponse(response_id="r")),
    (
        {
            "type": "response.create",
            "event_id": "e",
            "response": {
                "output_modalities": ["text"],
                "instructions": "x",
                "audio": {"output": {"format": {"type": "audio/pcmu"}, "voice": "marin"}},
                "tools": [{"type": "function", "name": "f", "strict": False}],
                "tool_choice": "none",
                "max_output_tokens": 50,
                "conversation": "none",
                "metadata": {"client_event_id": "abc"},
                "input": [
                    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
                    {"type": "item_reference", "id": "item_7"},
                ],
                "prompt": None,
                "parallel_tool_calls": True,
                "reasoning": {"effort": "low"},
            },
        },
        ask.CreateResponse(
            event_id="e",
            options=ask.ResponseOptions(
                output_modalities=["text"],
                instructions="x",
                output_format=AudioFormat("audio/pcmu"),
                voice="marin",
                tools=[FunctionTool("f")],
                tool_choice="none",
                max_output_tokens=50,
                conversation="none",
                metadata={"client_event_id": "abc"},
                input=[MessageItem("", "user", [InputText("hi")]), ItemReference("item_7")],
                parallel_tool_calls=True,
            ),
        ),
    ),
    (
        {"type": "response.create", "response": {"input": [], "instructions": None, "audio": None}},
        ask.CreateResponse(options=ask.ResponseOptions(input=[])),
    ),
]


@pytest.mark.parametrize(("message", "event"), EVENTS, ids=[m["type"] for m, _ in EVENTS])
def test_events(message: dict[str, Any], event: ask.ClientEvent | None) -> None:
    assert decode(message) == event
    assert decode(json.dumps(message).encode()) == event


PNG = "data:image/png;base64,iVBORw0KGgoA"
JPEG = "data:image/jpeg;base64,/9j/4AAQ"

ITEMS: list[tuple[dict[str, Any], Item]] = [
    (message("system", {"type": "input_text", "text": "x"}), MessageItem("", "system", [InputText("x")])),
    (
        message(
            "user",
            {"type": "input_text", "text": ""},
            id="mine-1",
            status="incomplete",
            object="realtime.item",
        ),
        MessageItem("mine-1", "user", [InputText("")]),
    ),
    (
        message("user", {"type": "input_audio", "audio": b64(SAMPLES), "transcript": "hi"}),
        MessageItem("", "user", [InputAudio("hi")]),
    ),
    (message("user", {"type": "input_audio", "transcript": None}), MessageItem("", "user", [InputAudio()])),
    (
        message("user", {"type": "input_image", "image_url": PNG, "detail": "low"}),
        MessageItem("", "user", [InputImage(PNG, "low")]),
    ),
    (
        message("user", {"type": "input_image", "image_url": JPEG, "detail": None}),
        MessageItem("", "user", [InputImage(JPEG)]),
    ),
    (
        message("assistant", {"type": "output_text", "text": "x"}),
        MessageItem("", "assistant", [OutputText("x")]),
    ),
    (message("assistant", {"type": "text", "text": "x"}), MessageItem("", "assistant", [OutputText("x")])),
    (
        message("assistant", {"type": "audio", "transcript": "x", "audio": None}),
        MessageItem("", "assistant", [OutputAudio("x")]),
    ),
    (
        message("assistant", {"type": "output_audio", "transcript": "x"}),
        MessageItem("", "assistant", [OutputAudio("x")]),
    ),
    (
        {"type": "function_call", "id": None, "call_id": "c", "name": "f", "arguments": "{}"},
        FunctionCallItem("", "c", "f", "{}"),
    ),
    ({"type": "function_call_output", "call_id": "c", "output": ""}, FunctionCallOutputItem("", "c", "")),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("wire", "item"), ITEMS, ids=[str(wire)[:60] for wire, _ in ITEMS])
def test_items(wire: dict[str, Any], item: Item, dialect: Dialect) -> None:
    frame = {"type": "conversation.item.create", "item": wire, "previous_item_id": "root"}
    event = decode(frame, dialect)
    assert event == ask.CreateItem(item=item, previous_item_id="root")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("transcript", [{}, {"transcript": None}], ids=["none", "null"])
def test_audio_in_an_item_that_has_no_words_is_to_be_heard(
    transcript: dict[str, None], dialect: Dialect
) -> None:
    parts: list[dict[str, Any]] = [
        {"type": "input_audio", "audio": b64(SAMPLES), "transcript": "hi"},
        {"type": "input_text", "text": "and"},
        {"type": "input_audio", "audio": b64(SAMPLES), **transcript},
        {"type": "input_audio", "audio": "", **transcript},
    ]
    event = decode({"type": "conversation.item.create", "item": message("user", *parts)}, dialect)
    item = MessageItem("", "user", [InputAudio("hi"), InputText("and"), InputAudio(), InputAudio()])
    assert event == ask.CreateItem(item=item, recordings={2: SAMPLES})


WRONG_FRAMES = [
    pytest.param(dialect, *wrong, id=f"{dialect.name}-{name}")
    for dialect, own in ((RealtimeDialect, GA_WRONG), (RealtimeBetaDialect, BETA_WRONG))
    for name, wrong in (WRONG | own).items()
]


@pytest.mark.parametrize(("dialect", "frame", "code", "param"), WRONG_FRAMES)
def test_a_wrong_frame_is_answered_by_what_is_wrong(
    dialect: Dialect, frame: Any, code: str, param: str | None
) -> None:
    begin = time.perf_counter()
    event = decode(frame, dialect)
    assert time.perf_counter() - begin < 0.5
    assert isinstance(event, ask.Invalid), event
    told = event.param and flat_path(event.param) if dialect is RealtimeBetaDialect else event.param
    assert (event.code, told) == (code, param)
    assert 0 < len(event.message) < 1000


@pytest.mark.parametrize("name", ["append without audio", "audio is no base64", "no item", "unknown type"])
def test_the_error_carries_the_clients_event_id(name: str) -> None:
    event = decode({**WRONG[name][0], "event_id": "mine_7"})
    assert isinstance(event, ask.Invalid)
    assert event.event_id == "mine_7"


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    assert decode('{"type":"response.create","type":"input_audio_buffer.clear"}') == ask.ClearAudio()


def test_a_slice_may_end_inside_a_sample() -> None:
    dialect = RealtimeDialect()
    slices = [SAMPLES[:1], SAMPLES[1:4], SAMPLES[4:5], SAMPLES[5:]]
    events = [
        dialect.decode(json.dumps({"type": "input_audio_buffer.append", "audio": b64(s)})) for s in slices
    ]
    audio = [event.audio for event in events if isinstance(event, ask.AppendAudio)]
    assert b"".join(audio) == SAMPLES
    assert all(len(part) % 2 == 0 for part in audio)


@pytest.mark.parametrize("event", ["input_audio_buffer.commit", "input_audio_buffer.clear"])
def test_half_a_sample_does_not_outlive_the_buffer(event: str) -> None:
    dialect = RealtimeDialect()
    dialect.decode('{"type":"input_audio_buffer.append","audio":"AAAA"}')
    dialect.decode(json.dumps({"type": event}))
    append = dialect.decode('{"type":"input_audio_buffer.append","audio":"AQI="}')
    assert append == ask.AppendAudio(audio=b"\x01\x02")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_fifteen_megabytes_of_audio_are_one_append_and_more_are_refused(dialect: Dialect) -> None:
    begin = time.perf_counter()
    event = decode('{"type":"input_audio_buffer.append","audio":"' + b64(bytes(MAX_APPEND)) + '"}', dialect)
    assert time.perf_counter() - begin < 1
    assert isinstance(event, ask.AppendAudio)
    assert len(event.audio) == MAX_APPEND
    more = b64(bytes(MAX_APPEND + 2))
    refused = decode('{"event_id":"e","type":"input_audio_buffer.append","audio":"' + more + '"}', dialect)
    assert isinstance(refused, ask.Invalid)
    assert (refused.code, refused.param, refused.event_id) == ("invalid_value", "audio", "e")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_image_of_some_megabytes_is_taken(dialect: Dialect) -> None:
    image = PNG + "AAAA" * (3 * 2**18)
    event = decode(created(message("user", {"type": "input_image", "image_url": image})), dialect)
    assert isinstance(event, ask.CreateItem), event
    assert event.item == MessageItem("", "user", [InputImage(image)])


def test_the_error_about_a_frame_that_is_too_large_names_the_clients_event() -> None:
    event = decode({"type": "response.create", "event_id": "mine_7", "x": "y" * 8_400_000})
    assert isinstance(event, ask.Invalid)
    assert (event.code, event.event_id) == ("event_too_large", "mine_7")


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"x": value}
    return value


@pytest.mark.parametrize("x", [nested(100), [0] * 60_000], ids=["nested", "members"])
def test_the_error_about_a_frame_that_is_not_taken_names_the_clients_event(x: Any) -> None:
    for event_id, told in (("mine_8", "mine_8"), ("e" * 513, None)):
        event = decode({"type": "response.create", "event_id": event_id, "x": x})
        assert isinstance(event, ask.Invalid)
        assert event.code in ("invalid_json", "event_too_large")
        assert event.event_id == told


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_unknown_type_is_answered_by_the_known_ones(dialect: Dialect) -> None:
    event = decode({"type": "response.begin"}, dialect)
    assert isinstance(event, ask.Invalid)
    for kind in ("session.update", "input_audio_buffer.append", "response.create", "response.cancel"):
        assert f"'{kind}'" in event.message
    assert ("'transcription_session.update'" in event.message) is (dialect is RealtimeBetaDialect)


TYPES = [*(message["type"] for message, _ in EVENTS), "transcription_session.update"]


@given(st.one_of(st.text(), st.binary(), JSON.map(json.dumps)))
def test_any_frame_is_read_without_an_exception(frame: str | bytes) -> None:
    for dialect in DIALECTS:
        event = decode(frame, dialect)
        assert event is None or isinstance(event, ask.ClientEvent)


@given(st.sampled_from(TYPES), OBJECTS)
def test_any_members_are_read_without_an_exception(kind: str, members: dict[str, Any]) -> None:
    for dialect in DIALECTS:
        event = decode({**members, "type": kind}, dialect)
        assert event is None or isinstance(event, ask.ClientEvent)


@given(
    st.sampled_from(["message", "function_call", "function_call_output"]), OBJECTS, st.lists(JSON, max_size=3)
)
def test_any_item_is_read_without_an_exception(
    kind: str, members: dict[str, Any], content: list[Any]
) -> None:
    for item in ({**members, "type": kind}, {**members, "type": kind, "role": "user", "content": content}):
        for frame in (created(item), respond(input=[item])):
            for dialect in DIALECTS:
                assert isinstance(decode(frame, dialect), ask.CreateItem | ask.CreateResponse | ask.Invalid)


@given(st.data())
def test_a_damaged_frame_is_read_without_an_exception(data: st.DataObject) -> None:
    frame = bytearray(json.dumps(data.draw(st.sampled_from(EVENTS))[0]).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    event = decode(bytes(frame))
    assert event is None or isinstance(event, ask.ClientEvent)
