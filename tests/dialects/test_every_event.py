"""Every event in both dialects: what the official SDK's types say, and what clients need beside that."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import InputAudio, InputImage, InputText, MessageItem
from dialtone.gateway.core.session import (
    Audio,
    AudioInput,
    Extensions,
    FunctionChoice,
    SemanticVad,
    ServerVad,
    SessionConfig,
    Transcription,
)
from dialtone.gateway.dialects.realtime import RealtimeDialect
from dialtone.gateway.dialects.realtime_beta import RealtimeBetaDialect
from dialtone.gateway.dialects.realtime_socket import MAX_DELTA
from tests.dialects.server_events import EVENTS, response
from tests.fixtures.sdk_types import WireCheck, check_beta, check_ga

Dialect = RealtimeDialect | RealtimeBetaDialect

# Core events that a dialect does not tell.
UNSAID_IN_BETA = {out.ItemDone, out.TimeoutTriggered}


@pytest.fixture(params=[RealtimeDialect, RealtimeBetaDialect], ids=["ga", "beta"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    made: Dialect = request.param()
    return made


def encode(dialect: Dialect, event: out.ServerEvent) -> dict[str, Any]:
    (frame,) = dialect.encode(event)
    return check_ga(frame) if dialect.name == "realtime" else check_beta(frame)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_is_one_of_the_sdk_with_all_that_clients_need(
    dialect: Dialect, event: out.ServerEvent
) -> None:
    if dialect.name == "realtime_beta" and type(event) in UNSAID_IN_BETA:
        assert dialect.encode(event) == []
    else:
        encode(dialect, event)


def test_audio_is_base64_of_the_bytes(dialect: Dialect) -> None:
    audio = bytes(range(256)) * 4
    message = encode(dialect, out.OutputAudioDelta("resp_1", "item_1", 0, 1, audio))
    assert base64.b64decode(message["delta"]) == audio
    assert (message["response_id"], message["item_id"]) == ("resp_1", "item_1")
    assert (message["output_index"], message["content_index"]) == (0, 1)


def test_every_event_of_the_core_is_here() -> None:
    def kinds(kind: type[out.ServerEvent]) -> set[type]:
        below = kind.__subclasses__()
        return {kind} if not below else set().union(*map(kinds, below))

    unsent = kinds(out.ServerEvent) - {type(event) for event in EVENTS}
    assert unsent == {out.SentenceSpoken, out.PartialTranscript, out.TurnMetrics}


# --- what clients rely on, as far as it is the dialect's


def test_event_ids_are_unique_within_and_across_connections() -> None:
    ids = []
    for dialect in (RealtimeDialect(), RealtimeDialect(), RealtimeBetaDialect(), RealtimeBetaDialect()):
        check = WireCheck(dialect.name)
        ids += [check(frame)["event_id"] for event in EVENTS * 3 for frame in dialect.encode(event)]
    assert len(set(ids)) == len(ids)
    assert all(event_id.startswith("event_") for event_id in ids)


def test_user_audio_has_its_transcript_even_before_it_is_known(dialect: Dialect) -> None:
    item = encode(dialect, out.ItemAdded(MessageItem("item_1", "user", [InputAudio()]), None))["item"]
    assert item["content"] == [{"type": "input_audio", "transcript": None}]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_no_item_has_a_member_that_is_null_but_for_an_unknown_transcript(
    dialect: Dialect, event: out.ServerEvent
) -> None:
    for frame in dialect.encode(event):
        message = json.loads(frame)
        for item in [message["item"]] if "item" in message else message.get("response", {}).get("output", []):
            assert None not in item.values()
            for part in item.get("content", ()):
                assert None not in {name: v for name, v in part.items() if name != "transcript"}.values()


def test_initial_parts_and_items_are_empty_and_not_null(dialect: Dialect) -> None:
    opening = MessageItem("item_1", "assistant", [], status="in_progress")
    assert encode(dialect, out.OutputItemAdded("resp_1", 0, opening))["item"]["content"] == []
    part = encode(dialect, out.ContentPartAdded("resp_1", "item_1", 0, 0, out.AudioPart("")))["part"]
    assert part == {"type": "audio", "transcript": ""}
    text = encode(dialect, out.ContentPartAdded("resp_1", "item_1", 0, 0, out.TextPart("")))["part"]
    assert text == {"type": "text", "text": ""}
    created = response("in_progress", output=[], usage=None)
    assert encode(dialect, out.ResponseCreated(created))["response"]["output"] == []


def test_a_large_delta_is_cut_into_frames_that_clients_take(dialect: Dialect) -> None:
    """pipecat closes the socket at a frame of 1 MiB."""
    audio = b"\x01\x02" * MAX_DELTA
    frames = dialect.encode(out.OutputAudioDelta("resp_1", "item_1", 0, 0, audio))
    check = WireCheck(dialect.name)
    assert all(len(frame) < 2**20 for frame in frames)
    pieces = [base64.b64decode(check(frame)["delta"]) for frame in frames]
    assert all(len(piece) % 2 == 0 for piece in pieces), "samples are whole"
    assert b"".join(pieces) == audio


def test_a_retrieved_item_whose_audio_is_longer_than_a_frame_comes_without_it(dialect: Dialect) -> None:
    event = out.ItemRetrieved(MessageItem("item_1", "user", [InputAudio("hi")]), bytes(2**20))
    assert encode(dialect, event)["item"]["content"] == [{"type": "input_audio", "transcript": "hi"}]


def test_an_item_whose_image_is_larger_than_a_frame_comes_without_it(dialect: Dialect) -> None:
    image = InputImage("data:image/png;base64," + "A" * 2**20, "low")
    event = out.ItemAdded(MessageItem("item_1", "user", [InputText("What is it?"), image]), None)
    text, shown = encode(dialect, event)["item"]["content"]
    assert text["text"] == "What is it?"
    assert shown == {"type": "input_image", "detail": "low"}


def test_metadata_comes_back_as_it_was_given(dialect: Dialect) -> None:
    given = {"client_event_id": "response_create_7", "": "x"}
    for event in (
        out.ResponseCreated(response("in_progress", output=[], usage=None, metadata=given)),
        out.ResponseDone(response(metadata=given)),
    ):
        assert encode(dialect, event)["response"]["metadata"] == given


def test_an_error_names_the_clients_event(dialect: Dialect) -> None:
    detail = out.ErrorDetail(
        "invalid_request_error", "conversation_already_has_active_response", "busy", event_id="agents_js_1"
    )
    error = encode(dialect, out.Error(detail))["error"]
    assert (error["event_id"], error["param"]) == ("agents_js_1", None)


@pytest.mark.parametrize("detection", [ServerVad(), SemanticVad()])
def test_defaults_of_turn_detection_are_filled_in(
    dialect: Dialect, detection: ServerVad | SemanticVad
) -> None:
    config = SessionConfig(audio=Audio(AudioInput(turn_detection=detection)))
    session = encode(dialect, out.SessionUpdated("sess_1", 1, config))["session"]
    shown = session["turn_detection" if "turn_detection" in session else "audio"]
    shown = shown.get("input", {}).get("turn_detection", shown)
    assert shown["interrupt_response"] is True
    assert shown["create_response"] is True
    expected = {"eagerness": "auto"}
    if isinstance(detection, ServerVad):
        expected = {"threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}  # type: ignore[dict-item]  # one dict for both
    assert shown.items() >= expected.items()


def test_transcription_shows_model_language_and_prompt_and_no_more(dialect: Dialect) -> None:
    heard = AudioInput(transcription=Transcription("whisper-1", "de"))
    session = encode(dialect, out.SessionUpdated("sess_1", 1, SessionConfig(audio=Audio(heard))))["session"]
    shown = session.get("input_audio_transcription") or session["audio"]["input"]["transcription"]
    assert shown == {"model": "whisper-1", "language": "de"}


def test_the_choice_of_a_tool_and_the_voice_are_strings_where_they_were(dialect: Dialect) -> None:
    session = encode(dialect, out.SessionUpdated("sess_1", 1, SessionConfig(tool_choice="required")))[
        "session"
    ]
    assert session["tool_choice"] == "required"
    assert (session.get("voice") or session["audio"]["output"]["voice"]) == "alloy"
    config = SessionConfig(tool_choice=FunctionChoice("f"))
    chosen = encode(dialect, out.SessionUpdated("sess_1", 1, config))["session"]["tool_choice"]
    assert chosen == {"type": "function", "name": "f"}


def test_a_call_is_whole_where_clients_run_it(dialect: Dialect) -> None:
    done = next(event for event in EVENTS if isinstance(event, out.OutputItemDone))
    assert encode(dialect, done)["item"] == {
        "type": "function_call",
        "id": "item_f",
        "call_id": "call_1",
        "name": "look_up",
        "arguments": '{"x":1}',
        "status": "completed",
        "object": "realtime.item",
    }


def test_extensions_are_shown_to_those_who_set_them(dialect: Dialect) -> None:
    plain = encode(dialect, out.SessionCreated("sess_1", 1, dialect.configure(SessionConfig())))["session"]
    assert "dialtone" not in plain
    config = SessionConfig(dialtone=Extensions(noise_scale=0.5))
    session = encode(dialect, out.SessionCreated("sess_1", 1, dialect.configure(config)))["session"]
    assert session["dialtone"] == {"noise_scale": 0.5}


def test_events_of_our_own_are_as_the_document_has_them(dialect: Dialect) -> None:
    assert dialect.encode(out.SentenceSpoken("resp_1", 0, "Hi.")) == []
    partial = encode(dialect, out.PartialTranscript("item_1", "he"))
    assert (partial["type"], partial["transcript"]) == ("dialtone.transcription.partial", "he")
    metrics = encode(dialect, out.TurnMetrics("resp_1", "item_1", out.TurnTiming(total_ms=640.5)))
    assert metrics["type"] == "dialtone.turn.metrics"
    assert metrics["metrics"]["total_ms"] == 640.5


def test_what_was_encoded_can_be_read_as_text_in_any_language(dialect: Dialect) -> None:
    text = '\u2028\x00\x7f"\\你好\U0001f600'
    assert encode(dialect, out.OutputTextDelta("resp_1", "item_1", 0, 0, text))["delta"] == text
    assert msgspec.json.decode(dialect.encode(out.InputCleared())[0])["type"]
