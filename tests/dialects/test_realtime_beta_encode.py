"""What the beta dialect puts on the wire: its own names everywhere, GA's nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import MessageItem, OutputAudio, OutputText
from dialtone.gateway.core.session import (
    PCM_16K,
    PCM_24K,
    Audio,
    AudioFormat,
    AudioInput,
    AudioOutput,
    Extensions,
    ServerVad,
    SessionConfig,
    Transcription,
)
from dialtone.gateway.dialects.realtime_beta import RealtimeBetaDialect
from tests.dialects.server_events import EVENTS, response
from tests.fixtures.sdk_types import check_beta

GA_NAMES = (
    "output_text", "output_audio.", "output_audio_transcript", "output_modalities", "conversation.item.added",
    "conversation.item.done", "audio/pcm", '"audio":{', '"idle_timeout_ms"', '"truncation"',
)  # fmt: skip


def encode(event: out.ServerEvent) -> dict[str, Any]:
    (frame,) = RealtimeBetaDialect().encode(event)
    return check_beta(frame)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_no_name_of_ga_is_on_the_wire(event: out.ServerEvent) -> None:
    for frame in RealtimeBetaDialect().encode(event):
        assert [name for name in GA_NAMES if name in str(frame)] == []


RENAMED = {
    "conversation.item.created": out.ItemAdded(MessageItem("i", "user", []), None),
    "response.text.delta": out.OutputTextDelta("r", "i", 0, 0, "x"),
    "response.text.done": out.OutputTextDone("r", "i", 0, 0, "x"),
    "response.audio.delta": out.OutputAudioDelta("r", "i", 0, 0, b"xx"),
    "response.audio.done": out.OutputAudioDone("r", "i", 0, 0),
    "response.audio_transcript.delta": out.AudioTranscriptDelta("r", "i", 0, 0, "x"),
    "response.audio_transcript.done": out.AudioTranscriptDone("r", "i", 0, 0, "x"),
}


@pytest.mark.parametrize(("name", "event"), RENAMED.items(), ids=RENAMED)
def test_an_event_has_its_name_of_the_beta_protocol(name: str, event: out.ServerEvent) -> None:
    assert encode(event)["type"] == name


def test_an_item_is_told_once() -> None:
    item = MessageItem("item_1", "user", [])
    events = (out.ItemAdded(item, "item_0"), out.ItemDone(item, "item_0"))
    told = [frame for event in events for frame in RealtimeBetaDialect().encode(event)]
    (created,) = map(json.loads, told)
    assert (created["type"], created["previous_item_id"]) == ("conversation.item.created", "item_0")


def test_what_the_assistant_says_is_text_or_audio() -> None:
    item = MessageItem("item_1", "assistant", [OutputText("x"), OutputAudio("y")])
    content = [{"type": "text", "text": "x"}, {"type": "audio", "transcript": "y"}]
    assert encode(out.ItemAdded(item, None))["item"]["content"] == content
    assert encode(out.OutputItemDone("r", 0, item))["item"]["content"] == content
    assert encode(out.ResponseDone(response(output=[item])))["response"]["output"][0]["content"] == content


def test_a_response_has_the_members_of_the_beta_protocol() -> None:
    audio = out.ResponseAudio(out.ResponseAudioOutput(AudioFormat("audio/pcmu"), "marin"))
    event = out.ResponseCreated(response("in_progress", audio=audio, output=[], usage=None, metadata=None))
    assert encode(event)["response"] == {
        "object": "realtime.response",
        "id": "resp_1",
        "status": "in_progress",
        "status_details": None,
        "output": [],
        "conversation_id": "conv_1",
        "modalities": ["audio", "text"],
        "voice": "marin",
        "output_audio_format": "g711_ulaw",
        "temperature": 0.7,
        "max_output_tokens": "inf",
        "usage": None,
        "metadata": None,
    }
    text = encode(out.ResponseDone(response(output_modalities=["text"])))["response"]
    assert text["modalities"] == ["text"]


def test_the_session_is_complete_and_flat() -> None:
    config = RealtimeBetaDialect().configure(SessionConfig(model="m"))
    assert encode(out.SessionCreated("sess_1", 1_800_000_000, config))["session"] == {
        "id": "sess_1",
        "object": "realtime.session",
        "expires_at": 1_800_000_000,
        "model": "m",
        "modalities": ["audio", "text"],
        "instructions": "",
        "voice": "alloy",
        "speed": 1.0,
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": None,
        "input_audio_noise_reduction": None,
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 500,
            "create_response": True,
            "interrupt_response": True,
        },
        "tools": [],
        "tool_choice": "auto",
        "temperature": 0.8,
        "max_response_output_tokens": "inf",
        "tracing": None,
        "include": None,
        "client_secret": None,
    }


def test_a_transcription_session_has_events_and_a_shape_of_its_own() -> None:
    heard = AudioInput(AudioFormat("audio/pcma"), Transcription("whisper-1"), turn_detection=ServerVad(0.4))
    config = SessionConfig(type="transcription", audio=Audio(heard))
    created = encode(out.SessionCreated("sess_1", 7, config))
    assert created["type"] == "transcription_session.created"
    assert encode(out.SessionUpdated("sess_1", 7, config))["type"] == "transcription_session.updated"
    session = created["session"]
    assert session["object"] == "realtime.transcription_session"
    assert session["input_audio_format"] == "g711_alaw"
    assert session["input_audio_transcription"] == {"model": "whisper-1"}
    assert session["turn_detection"]["threshold"] == 0.4
    assert session["client_secret"] is None
    assert not {"voice", "instructions", "temperature", "tools"} & set(session)


PATHS = {
    "session.audio.input.format": "session.input_audio_format",
    "session.audio.input.format.rate": "session.input_audio_format.rate",
    "session.audio.input.transcription.language": "session.input_audio_transcription.language",
    "session.audio.input.noise_reduction.type": "session.input_audio_noise_reduction.type",
    "session.audio.input.turn_detection.threshold": "session.turn_detection.threshold",
    "session.audio.output.voice": "session.voice",
    "session.audio.output.speed": "session.speed",
    "session.max_output_tokens": "session.max_response_output_tokens",
    "session.output_modalities": "session.modalities",
    "response.audio.output.voice": "response.voice",
    "response.max_output_tokens": "response.max_output_tokens",
    "session.tools[0].name": "session.tools[0].name",
    "session.dialtone.temperature": "session.dialtone.temperature",
    "response.metadata.audio.output.voice": "response.metadata.audio.output.voice",
    "item.content[0].text": "item.content[0].text",
    "audio": "audio",
}


@pytest.mark.parametrize(("ga", "beta"), PATHS.items(), ids=PATHS)
def test_an_error_names_the_field_that_the_client_sent(ga: str, beta: str) -> None:
    message = f"Invalid type for '{ga}': expected a string, but got a number instead."
    error = encode(out.Error(out.ErrorDetail("invalid_request_error", "invalid_type", message, ga)))["error"]
    assert error["param"] == beta
    assert error["message"] == f"Invalid type for '{beta}': expected a string, but got a number instead."
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_type")


def test_a_call_has_the_temperature_and_the_rate_that_its_session_shows() -> None:
    stored = SessionConfig(
        audio=Audio(AudioInput(PCM_16K), AudioOutput(AudioFormat("audio/pcmu"), voice="joe"))
    )
    config = RealtimeBetaDialect().configure(stored)
    assert config.audio.input.format == PCM_24K
    assert config.audio.output == stored.audio.output
    assert config.dialtone.temperature == 0.8
    cold = SessionConfig(dialtone=Extensions(temperature=0.0))
    assert RealtimeBetaDialect().configure(cold).dialtone.temperature == 0.0


def test_a_session_whose_model_has_no_temperature_to_be_set_gets_none() -> None:
    assert RealtimeBetaDialect().configure(SessionConfig(model="moshi")).dialtone.temperature is None
