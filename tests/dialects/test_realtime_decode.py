"""What the GA dialect makes of clients' frames, right ones and wrong ones."""

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
    MessageItem,
    OutputAudio,
    OutputText,
)
from dialtone.gateway.core.session import AudioFormat, FunctionTool
from dialtone.gateway.dialects.realtime import RealtimeDialect
from tests.dialects.json_values import JSON, OBJECTS
from tests.dialects.wrong_frames import WRONG, created, message, respond


def decode(message: Any) -> ask.ClientEvent | None:
    return RealtimeDialect().decode(message if isinstance(message, str | bytes) else json.dumps(message))


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
                    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
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
                input=[MessageItem("", "user", [InputText("hi")])],
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
        message("user", {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}),
        MessageItem("", "user", [InputImage("data:image/png;base64,AA==", "low")]),
    ),
    (
        message("assistant", {"type": "output_text", "text": "x"}),
        MessageItem("", "assistant", [OutputText("x")]),
    ),
    (message("assistant", {"type": "text", "text": "x"}), MessageItem("", "assistant", [OutputText("x")])),
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


@pytest.mark.parametrize(("wire", "item"), ITEMS, ids=[str(wire)[:60] for wire, _ in ITEMS])
def test_items(wire: dict[str, Any], item: Item) -> None:
    event = decode({"type": "conversation.item.create", "item": wire, "previous_item_id": "root"})
    assert event == ask.CreateItem(item=item, previous_item_id="root")


@pytest.mark.parametrize(("frame", "code", "param"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_frame_is_answered_by_what_is_wrong(frame: Any, code: str, param: str | None) -> None:
    begin = time.perf_counter()
    event = decode(frame)
    assert time.perf_counter() - begin < 0.5
    assert isinstance(event, ask.Invalid), event
    assert (event.code, event.param) == (code, param)
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


def test_fifteen_megabytes_of_audio_are_one_append() -> None:
    audio = bytes(15 * 2**20)
    event = decode('{"type":"input_audio_buffer.append","audio":"' + b64(audio) + '"}')
    assert isinstance(event, ask.AppendAudio)
    assert len(event.audio) == len(audio)


TYPES = [message["type"] for message, _ in EVENTS]


@given(st.one_of(st.text(), st.binary(), JSON.map(json.dumps)))
def test_any_frame_is_read_without_an_exception(frame: str | bytes) -> None:
    event = decode(frame)
    assert event is None or isinstance(event, ask.ClientEvent)


@given(st.sampled_from(TYPES), OBJECTS)
def test_any_members_are_read_without_an_exception(kind: str, members: dict[str, Any]) -> None:
    event = decode({**members, "type": kind})
    assert event is None or isinstance(event, ask.ClientEvent)


@given(
    st.sampled_from(["message", "function_call", "function_call_output"]), OBJECTS, st.lists(JSON, max_size=3)
)
def test_any_item_is_read_without_an_exception(
    kind: str, members: dict[str, Any], content: list[Any]
) -> None:
    for item in ({**members, "type": kind}, {**members, "type": kind, "role": "user", "content": content}):
        for frame in (created(item), respond(input=[item])):
            assert isinstance(decode(frame), ask.CreateItem | ask.CreateResponse | ask.Invalid)


@given(st.data())
def test_a_damaged_frame_is_read_without_an_exception(data: st.DataObject) -> None:
    frame = bytearray(json.dumps(data.draw(st.sampled_from(EVENTS))[0]).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    event = decode(bytes(frame))
    assert event is None or isinstance(event, ask.ClientEvent)
