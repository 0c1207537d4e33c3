"""What the beta dialect makes of what only it has: the flat session and the options of a response."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core.field_rules import FieldError
from dialtone.gateway.core.items import InputText, ItemReference, MessageItem
from dialtone.gateway.core.session import AudioFormat, FunctionChoice, FunctionTool, SessionConfig
from dialtone.gateway.core.session_update import merge_session
from dialtone.gateway.dialects.realtime_beta import RealtimeBetaDialect
from dialtone.gateway.dialects.realtime_beta_session import beta_session_object, flat_error, ga_patch
from tests.dialects.json_values import OBJECTS


def decode(message: Any) -> ask.ClientEvent | None:
    return RealtimeBetaDialect().decode(json.dumps(message))


def updated(**session: Any) -> ask.UpdateSession:
    event = decode({"type": "session.update", "session": session})
    assert isinstance(event, ask.UpdateSession), event
    return event


def merged(config: SessionConfig, **flat: Any) -> tuple[dict[str, Any], list[str]]:
    """The session as the client is shown it after the update, and the names of what was wrong."""
    event = updated(**flat)
    config, wrong = merge_session(config, event.patch)
    errors = [*event.errors, *map(flat_error, wrong)]
    return beta_session_object(config, "sess_1", 1), [error.param for error in errors]


TAKEN: dict[str, list[Any]] = {
    "modalities": [["text"], ["audio", "text"]],
    "instructions": ["Be brief.", ""],
    "voice": ["marin"],
    "speed": [1.5],
    "input_audio_format": ["pcm16", "g711_ulaw", "g711_alaw"],
    "output_audio_format": ["pcm16", "g711_ulaw", "g711_alaw"],
    "input_audio_transcription": [None, {"model": "whisper-1", "language": "de", "prompt": "x"}],
    "input_audio_noise_reduction": [None, {"type": "far_field"}],
    "turn_detection": [
        None,
        {
            "type": "server_vad",
            "threshold": 0.2,
            "prefix_padding_ms": 100,
            "silence_duration_ms": 200,
            "create_response": False,
            "interrupt_response": False,
        },
        {"type": "semantic_vad", "eagerness": "low", "create_response": True, "interrupt_response": True},
    ],
    "tools": [[], [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}]],
    "tool_choice": ["none", "required", {"type": "function", "name": "f"}],
    "temperature": [0.6, 1.2],
    "max_response_output_tokens": [50, "inf"],
    "tracing": ["auto", None],
    "include": [["item.input_audio_transcription.logprobs"]],
    "dialtone": [{"noise_scale": 0.5}],
}


@pytest.mark.parametrize(("member", "value"), [(m, value) for m, values in TAKEN.items() for value in values])
def test_a_member_that_was_sent_comes_back(member: str, value: Any) -> None:
    session, errors = merged(SessionConfig(), **{member: value})
    assert session[member] == value
    assert errors == []


def test_the_order_of_modalities_does_not_matter() -> None:
    session, _ = merged(SessionConfig(output_modalities=["text"]), modalities=["text", "audio"])
    assert session["modalities"] == ["audio", "text"]


WRONG: dict[str, list[Any]] = {
    "modalities": [["audio"], [], ["video"], "text"],
    "instructions": [7],
    "voice": [7, ""],
    "speed": [2, "fast"],
    "input_audio_format": ["mp3", {"type": "audio/pcm"}, 16000],
    "output_audio_format": ["wav"],
    "input_audio_transcription": ["whisper-1"],
    "turn_detection": ["server_vad"],
    "tools": [{}],
    "tool_choice": ["any"],
    "temperature": [0.5, 1.3, "hot"],
    "max_response_output_tokens": [0, 5000, "all"],
    "dialtone": [[]],
}


@pytest.mark.parametrize(("member", "value"), [(m, value) for m, values in WRONG.items() for value in values])
def test_a_wrong_member_is_named_as_the_client_knows_it_and_the_rest_applies(member: str, value: Any) -> None:
    other = {"instructions": "Be brief."} if member != "instructions" else {"voice": "marin"}
    before = beta_session_object(SessionConfig(), "sess_1", 1)
    session, errors = merged(SessionConfig(), **{member: value}, **other)
    assert [error.removeprefix("session.").partition(".")[0] for error in errors] == [member]
    assert session == before | other


def test_a_wrong_value_inside_a_member_is_named_by_its_path() -> None:
    _, errors = merged(
        SessionConfig(),
        turn_detection={"type": "server_vad", "threshold": 7},
        input_audio_transcription={"model": 7},
    )
    assert sorted(errors) == ["session.input_audio_transcription.model", "session.turn_detection.threshold"]


def test_null_leaves_what_cannot_be_switched_off() -> None:
    config = merge_session(SessionConfig(), updated(temperature=1.0, modalities=["text"]).patch)[0]
    nulls = dict.fromkeys(["temperature", "modalities", "voice", "input_audio_format", "dialtone", "speed"])
    session, errors = merged(config, **nulls)
    assert errors == []
    assert (session["temperature"], session["modalities"]) == (1.0, ["text"])


def test_members_of_ga_and_of_the_secret_are_passed_over() -> None:
    before = beta_session_object(SessionConfig(), "sess_1", 1)
    session, errors = merged(
        SessionConfig(),
        type="realtime",
        model="gpt-4o-realtime-preview",
        output_modalities=["text"],
        audio={"output": {"voice": "x"}},
        max_output_tokens=5,
        client_secret={"expires_after": {"anchor": "created_at"}},
    )
    assert (session, errors) == (before, [])


def test_an_idle_timeout_has_no_place_in_the_beta_protocol() -> None:
    assert updated(turn_detection={"type": "server_vad", "idle_timeout_ms": 6000}).patch == {
        "audio": {"input": {"turn_detection": {"type": "server_vad"}}}
    }


def test_the_name_of_a_chosen_function_may_stand_one_level_down() -> None:
    assert updated(tool_choice={"type": "function", "function": {"name": "f"}}).patch == {
        "tool_choice": {"type": "function", "name": "f"}
    }


def test_an_update_of_a_transcription_session_says_its_type() -> None:
    flat = {"input_audio_format": "g711_ulaw", "input_audio_transcription": {"model": "whisper-1"}}
    event = decode({"type": "transcription_session.update", "event_id": "e", "session": flat})
    assert event == ask.UpdateSession(
        event_id="e",
        patch={
            "type": "transcription",
            "audio": {"input": {"format": {"type": "audio/pcmu"}, "transcription": {"model": "whisper-1"}}},
        },
    )


def test_a_patch_at_the_root_of_a_request_has_no_path_before_its_names() -> None:
    errors: list[FieldError] = []
    assert ga_patch({"voice": "x", "modalities": ["audio"]}, "", errors) == {
        "audio": {"output": {"voice": "x"}}
    }
    assert [error.param for error in errors] == ["modalities"]
    assert flat_error(FieldError("audio.output.voice", "c", "'audio.output.voice'")).param == "voice"


RESPONSE = {
    "modalities": ["text"],
    "instructions": "x",
    "output_audio_format": "g711_ulaw",
    "voice": "marin",
    "tools": [{"type": "function", "name": "f"}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "temperature": 0.7,
    "conversation": "none",
    "metadata": {"client_event_id": "abc"},
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "item_reference", "id": "item_7"},
    ],
}


@pytest.mark.parametrize("limit", ["max_response_output_tokens", "max_output_tokens"])
def test_the_options_of_a_response(limit: str) -> None:
    assert decode({"type": "response.create", "event_id": "e", "response": RESPONSE | {limit: 50}}) == (
        ask.CreateResponse(
            event_id="e",
            options=ask.ResponseOptions(
                output_modalities=["text"],
                instructions="x",
                output_format=AudioFormat("audio/pcmu"),
                voice="marin",
                tools=[FunctionTool("f")],
                tool_choice=FunctionChoice("f"),
                temperature=0.7,
                max_output_tokens=50,
                conversation="none",
                metadata={"client_event_id": "abc"},
                input=[MessageItem("", "user", [InputText("hi")]), ItemReference("item_7")],
            ),
        )
    )


def test_options_that_are_null_are_the_sessions() -> None:
    nulls = dict.fromkeys([*RESPONSE, "max_response_output_tokens", "max_output_tokens"])
    assert decode({"type": "response.create", "response": nulls}) == ask.CreateResponse()
    assert decode({"type": "response.create", "response": None}) == ask.CreateResponse()


@given(OBJECTS)
def test_any_session_is_read_without_an_exception(flat: dict[str, Any]) -> None:
    value = next(iter(flat.values()), None)
    merged(SessionConfig(), **flat, **{member: value for member in TAKEN if member not in flat})


@given(OBJECTS)
def test_any_options_are_read_without_an_exception(options: dict[str, Any]) -> None:
    value = next(iter(options.values()), None)
    for response in (options, dict.fromkeys(RESPONSE, value)):
        assert isinstance(decode({"type": "response.create", "response": response}), ask.ClientEvent)
