"""What the GA dialect puts on the wire, held against the official SDK's types and clients' needs."""

from __future__ import annotations

import base64
import json
from typing import Any, get_args

import msgspec
import pytest
from openai import BaseModel
from openai.types.realtime import RealtimeServerEvent

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import InputAudio, MessageItem
from dialtone.gateway.core.session import (
    PCM_16K,
    PCM_24K,
    Audio,
    AudioFormat,
    AudioInput,
    AudioOutput,
    Extensions,
    FunctionChoice,
    FunctionTool,
    SemanticVad,
    SessionConfig,
    Transcription,
)
from dialtone.gateway.dialects.realtime import RealtimeDialect
from dialtone.gateway.dialects.realtime_socket import MAX_DELTA
from tests.dialects.server_events import EVENTS

SDK_TYPES: dict[str, type[BaseModel]] = {
    get_args(model.model_fields["type"].annotation)[0]: model
    for model in get_args(get_args(RealtimeServerEvent)[0])
}
# Members that clients accept as null; every other null breaks one of them.
NULLABLE = {
    "transcript", "previous_item_id", "status_details", "usage", "metadata", "code", "param", "event_id",
    "conversation_id", "transcription", "noise_reduction", "turn_detection", "idle_timeout_ms", "tracing",
    "prompt", "include",
}  # fmt: skip


def encode(event: out.ServerEvent, dialect: RealtimeDialect | None = None) -> dict[str, Any]:
    (frame,) = (dialect or RealtimeDialect()).encode(event)
    assert isinstance(frame, str)
    message = json.loads(frame)
    assert isinstance(message, dict)
    return message


def nulls(value: Any, name: str = "") -> set[str]:
    if isinstance(value, dict):
        return set().union(*(nulls(child, key) for key, child in value.items()))
    if isinstance(value, list):
        return set().union(*(nulls(child, name) for child in value))
    return {name} if value is None else set()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_is_one_of_the_sdk(event: out.ServerEvent) -> None:
    message = encode(event)
    model = SDK_TYPES[message["type"]]
    parsed = model.model_validate(message, strict=True)
    unknown = set(parsed.model_extra or {})
    # The SDK reads the name of a call from its item, other clients need it here too.
    assert unknown <= {"name"} if message["type"].endswith("arguments.done") else not unknown


def test_every_event_of_the_core_is_covered() -> None:
    def kinds(kind: type[out.ServerEvent]) -> set[type]:
        below = kind.__subclasses__()
        return {kind} if not below else set().union(*map(kinds, below))

    unsent = set(kinds(out.ServerEvent)) - {type(event) for event in EVENTS}
    assert unsent == {out.SentenceSpoken, out.PartialTranscript, out.TurnMetrics}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_nothing_is_null_that_a_client_does_not_expect(event: out.ServerEvent) -> None:
    message = encode(event)
    assert nulls(message) <= NULLABLE
    assert "event_id" not in nulls({key: value for key, value in message.items() if key != "error"})


def test_event_ids_are_unique_within_and_across_connections() -> None:
    dialects = [RealtimeDialect(), RealtimeDialect()]
    ids = [encode(event, dialect)["event_id"] for dialect in dialects for event in EVENTS * 3]
    assert len(set(ids)) == len(ids)
    assert all(event_id.startswith("event_") for event_id in ids)


def test_audio_is_base64_of_the_bytes() -> None:
    audio = bytes(range(256)) * 4
    message = encode(out.OutputAudioDelta("resp_1", "item_1", 0, 1, audio))
    assert base64.b64decode(message["delta"]) == audio
    assert (message["response_id"], message["item_id"]) == ("resp_1", "item_1")
    assert (message["output_index"], message["content_index"]) == (0, 1)


def test_a_large_delta_is_cut_into_frames_that_clients_take() -> None:
    audio = b"\x01\x02" * MAX_DELTA
    frames = RealtimeDialect().encode(out.OutputAudioDelta("resp_1", "item_1", 0, 0, audio))
    assert all(len(frame) < 2**20 for frame in frames)
    assert b"".join(base64.b64decode(json.loads(frame)["delta"]) for frame in frames) == audio
    assert len({json.loads(frame)["event_id"] for frame in frames}) == len(frames)


def test_the_session_is_complete_and_has_the_names_of_ga() -> None:
    session = encode(out.SessionCreated("sess_1", 1_800_000_000, SessionConfig(model="m")))["session"]
    assert session == {
        "type": "realtime",
        "object": "realtime.session",
        "id": "sess_1",
        "expires_at": 1_800_000_000,
        "model": "m",
        "output_modalities": ["audio"],
        "instructions": "",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                    "idle_timeout_ms": None,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0},
        },
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
    }


def test_the_session_shows_what_was_set() -> None:
    config = SessionConfig(
        audio=Audio(
            AudioInput(AudioFormat("audio/pcmu"), Transcription("whisper-1", "de"), None, SemanticVad("low"))
        ),
        tools=[FunctionTool("f", "does f", {"type": "object"})],
        tool_choice=FunctionChoice("f"),
        dialtone=Extensions(noise_scale=0.5),
    )
    session = encode(out.SessionUpdated("sess_1", 1, config))["session"]
    incoming = session["audio"]["input"]
    assert incoming["format"] == {"type": "audio/pcmu"}
    assert incoming["transcription"] == {"model": "whisper-1", "language": "de"}
    assert incoming["turn_detection"]["type"] == "semantic_vad"
    assert incoming["turn_detection"]["interrupt_response"] is True
    assert session["tools"] == [
        {"type": "function", "name": "f", "description": "does f", "parameters": {"type": "object"}}
    ]
    assert session["tool_choice"] == {"type": "function", "name": "f"}
    assert session["dialtone"] == {"noise_scale": 0.5}


def test_user_audio_has_its_transcript_even_before_it_is_known() -> None:
    item = encode(out.ItemAdded(MessageItem("item_1", "user", [InputAudio()]), None))["item"]
    assert item["content"] == [{"type": "input_audio", "transcript": None}]


def test_events_of_our_own_stay_inside_but_for_those_that_clients_ask_for() -> None:
    dialect = RealtimeDialect()
    assert dialect.encode(out.SentenceSpoken("resp_1", 0, "Hi.")) == []
    partial = encode(out.PartialTranscript("item_1", "he"))
    assert (partial["type"], partial["transcript"]) == ("dialtone.transcription.partial", "he")
    message = encode(out.TurnMetrics("resp_1", "item_1", out.TurnTiming(total_ms=640.5)))
    assert message["type"] == "dialtone.turn.metrics"
    assert message["metrics"]["total_ms"] == 640.5


def test_the_input_format_of_the_session_decides_about_half_samples() -> None:
    dialect = RealtimeDialect()
    append = '{"type":"input_audio_buffer.append","audio":"AAAA"}'  # three bytes
    for form, lengths in ((PCM_16K, [2, 4, 2]), (AudioFormat("audio/pcmu"), [3, 3, 3])):
        config = SessionConfig(audio=Audio(AudioInput(form)))
        dialect.encode(out.SessionUpdated("sess_1", 1, config))
        assert [len(getattr(dialect.decode(append), "audio", b"")) for _ in range(3)] == lengths


def test_a_session_made_for_other_rates_has_the_protocols_in_a_call() -> None:
    stored = SessionConfig(
        audio=Audio(AudioInput(PCM_16K), AudioOutput(AudioFormat("audio/pcmu"), voice="joe")),
        instructions="x",
    )
    config = RealtimeDialect().configure(stored)
    assert config.audio.input.format == PCM_24K
    assert config.audio.output == stored.audio.output
    assert config.instructions == "x"


def test_what_was_encoded_can_be_read_as_text_in_any_language() -> None:
    text = '\u2028\x00\x7f"\\你好\U0001f600'
    assert encode(out.OutputTextDelta("resp_1", "item_1", 0, 0, text))["delta"] == text
    assert msgspec.json.decode(RealtimeDialect().encode(out.InputCleared())[0])["type"]
