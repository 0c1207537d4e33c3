"""Frames that nobody should send: garbage, and right ones with something wrong."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from hypothesis import strategies as st

from tests.dialects.json_values import JSON, KEYS
from tests.dialects.wrong_frames import WRONG

Frame = str | bytes
SOUND = b64encode(b"\x01\x02" * 2400).decode()
MESSAGE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "1"}
HEARD = {"format": {"type": "audio/pcmu"}, "transcription": {"model": "m"}}
VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}

COMMON: list[dict[str, Any]] = [
    {"type": "input_audio_buffer.append", "audio": SOUND},
    {"type": "input_audio_buffer.commit", "event_id": "mine"},
    {"type": "input_audio_buffer.clear"},
    {"type": "conversation.item.create", "item": {"id": "i", **MESSAGE}, "previous_item_id": "root"},
    {"type": "conversation.item.create", "item": CALL},
    {"type": "conversation.item.create", "item": OUTPUT},
    {"type": "conversation.item.retrieve", "item_id": "i"},
    {"type": "conversation.item.delete", "item_id": "i"},
    {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 10},
    {"type": "response.cancel", "response_id": "r"},
]
GA: list[dict[str, Any]] = [
    *COMMON,
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "instructions": "x",
            "tools": [TOOL],
            "audio": {
                "input": {**HEARD, "turn_detection": VAD},
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
            },
        },
    },
    {
        "type": "response.create",
        "response": {
            "conversation": "none",
            "input": [MESSAGE, {"type": "item_reference", "id": "i"}],
            "output_modalities": ["text"],
            "metadata": {"a": "b"},
            "audio": {"output": {"format": {"type": "audio/pcma"}, "voice": "ash"}},
        },
    },
]
BETA: list[dict[str, Any]] = [
    *COMMON,
    {
        "type": "session.update",
        "session": {
            "modalities": ["text", "audio"],
            "input_audio_format": "g711_ulaw",
            "output_audio_format": "pcm16",
            "input_audio_transcription": {"model": "whisper-1"},
            "turn_detection": VAD,
            "temperature": 0.8,
            "max_response_output_tokens": 100,
            "tools": [TOOL],
        },
    },
    {"type": "transcription_session.update", "session": {"input_audio_format": "g711_alaw"}},
    {
        "type": "response.create",
        "response": {"modalities": ["text"], "conversation": "none", "input": [MESSAGE]},
    },
]
VOICE_CALL: list[dict[str, Any]] = [
    {"audio": SOUND, "meta_info": {"session_id": "s", "encoding": "raw"}, "is_close": False},
    {"heartbeat": True},
    {"audio": "", "is_close": False},
]


@st.composite
def mutated(draw: st.DrawFn, events: list[dict[str, Any]]) -> str:
    """A right event, some of whose members are others, or gone, or more."""
    event = json.loads(json.dumps(draw(st.sampled_from(events))))
    for _ in range(draw(st.integers(0, 3))):
        place: Any = event
        while True:
            keys: list[Any] = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is None or not isinstance(place[key], dict | list) or draw(st.booleans()):
                break
            place = place[key]
        what = draw(st.integers(0, 3))
        if what == 0 and isinstance(place, dict):
            place[draw(KEYS)] = draw(JSON)
        elif key is not None and what == 1:
            del place[key]
        elif key is not None:
            place[key] = draw(JSON)
    return json.dumps(event, ensure_ascii=draw(st.booleans()))


@st.composite
def torn(draw: st.DrawFn, events: list[dict[str, Any]]) -> Frame:
    """The text of a right event with bytes changed, taken out or put in."""
    data = bytearray(json.dumps(draw(st.sampled_from(events))).encode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 20))] = draw(st.binary(max_size=6))
    return bytes(data) if draw(st.booleans()) else data.decode(errors="replace")


@st.composite
def outsized(draw: st.DrawFn, events: list[dict[str, Any]]) -> str:
    """Deeper, wider or longer than anything real; what is too long for a message ends the connection."""
    depth = draw(st.sampled_from([70, 5_000, 100_000]))
    size = draw(st.sampled_from([1_000, 300_000, 2_000_000]))
    nested = draw(st.sampled_from(["[", '{"a":', '[{"a":[']))
    event = json.dumps(draw(st.sampled_from(events)))[:-1]
    return draw(
        st.sampled_from(
            [
                nested * depth,
                f'{event},"x":{nested * depth}',
                f'{event},"x":"{"y" * size}"}}',
                f'{event},"x":[{"[]," * (size // 4)}0]}}',
                f'{event},"x":{"9" * size}}}',
                f"{{{','.join(f'{chr(34)}k{n}{chr(34)}:0' for n in range(size // 20))}}}",
                " " * size,
            ]
        )
    )


def frames(events: list[dict[str, Any]]) -> st.SearchStrategy[Frame]:
    wrong = [value if isinstance(value, str | bytes) else json.dumps(value) for value, _, _ in WRONG.values()]
    short = [frame for frame in wrong if len(frame) < 10_000 and sendable(frame)]
    right = mutated(events)  # mostly, for the others are all alike to the call
    return st.one_of(
        right,
        right,
        right,
        right,
        torn(events),
        st.sampled_from(short),
        st.text(max_size=50).filter(sendable),
        st.binary(max_size=50),
        JSON.map(json.dumps),
    )


def sendable(frame: Frame) -> bool:
    """Whether a client library lets it through: text has to be Unicode."""
    try:
        return isinstance(frame, bytes) or bool(frame.encode()) or not frame
    except UnicodeEncodeError:
        return False
