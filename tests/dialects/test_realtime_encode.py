"""What the GA dialect puts on the wire."""

from __future__ import annotations

from typing import Any

import msgspec

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
from tests.fixtures.sdk_types import check_ga


def encode(event: out.ServerEvent, dialect: RealtimeDialect | None = None) -> dict[str, Any]:
    (frame,) = (dialect or RealtimeDialect()).encode(event)
    assert isinstance(frame, str)
    return check_ga(frame)


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


def test_a_transcription_session_shows_what_it_hears_by_and_nothing_of_answers() -> None:
    config = SessionConfig(type="transcription", audio=Audio(AudioInput(AudioFormat("audio/pcma"))))
    session = encode(out.SessionCreated("sess_1", 1, config))["session"]
    assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
    assert set(session) == {"type", "object", "id", "expires_at", "audio", "include"}
    assert set(session["audio"]) == {"input"}
    assert session["audio"]["input"]["format"] == {"type": "audio/pcma"}


def test_a_retrieved_item_has_its_audio_as_base64() -> None:
    item = MessageItem("item_1", "user", [InputAudio("hi")])
    part = encode(out.ItemRetrieved(item, b"\x01\x02\x03"))["item"]["content"][0]
    assert part == {"type": "input_audio", "transcript": "hi", "audio": "AQID"}
    assert "audio" not in encode(out.ItemRetrieved(item))["item"]["content"][0]
