"""The voice_call protocol: frames in and out, and what is said of wrong ones."""

from __future__ import annotations

import base64
import io
import json
import time
import wave
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.moshi_limits import blank_session
from dialtone.gateway.core.session import (
    PCM_16K,
    PCM_24K,
    Audio,
    AudioFormat,
    AudioInput,
    AudioOutput,
    Extensions,
    FunctionTool,
    SemanticVad,
    ServerVad,
    SessionConfig,
)
from dialtone.gateway.dialects.voice_call import MAX_WAV, VoiceCallDialect
from tests.dialects.json_values import JSON, OBJECTS
from tests.dialects.server_events import EVENTS, FAILED, response

PCM = bytes(range(256)) * 5


def b64(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


def frame(audio: Any = "", session_id: Any = "s1", encoding: Any = "raw", is_close: Any = False) -> str:
    meta = {"session_id": session_id, "encoding": encoding}
    return json.dumps({"audio": audio, "meta_info": meta, "is_close": is_close})


def named() -> VoiceCallDialect:
    dialect = VoiceCallDialect()
    assert dialect.decode(frame()) is None
    return dialect


# --- client to call ---


def test_the_first_frame_names_the_session_and_may_hold_audio() -> None:
    dialect = VoiceCallDialect()
    assert dialect.session_id is None
    assert dialect.decode(frame(b64(PCM))) == ask.AppendAudio(audio=PCM)
    assert dialect.session_id == "s1"


@pytest.mark.parametrize("cuts", [[1], [3, 4, 5], [640], [1, 2, 3, 4, 1279]])
def test_slices_of_any_length_give_the_same_audio(cuts: list[int]) -> None:
    dialect = named()
    edges = [0, *cuts, len(PCM)]
    events = [dialect.decode(frame(b64(PCM[a:b]))) for a, b in pairwise(edges)]
    parts = [event.audio for event in events if isinstance(event, ask.AppendAudio)]
    assert b"".join(parts) == PCM
    assert all(len(part) % 2 == 0 for part in parts)


@pytest.mark.parametrize(
    "heartbeat", ["{}", '{"type":"ping"}', '{"ts":1,"more":{"audio":"x"}}', '{"meta_info":{}}']
)
def test_a_heartbeat_is_ignored_at_any_time(heartbeat: str) -> None:
    for dialect in (VoiceCallDialect(), named()):
        before = dialect.session_id
        assert dialect.decode(heartbeat) is None
        assert dialect.session_id == before


def test_is_close_ends_the_input() -> None:
    assert named().decode(frame(is_close=True)) == ask.EndInput()
    assert named().decode('{"is_close":true}') == ask.EndInput()


def test_once_the_session_is_named_a_frame_may_leave_it_out() -> None:
    assert named().decode(json.dumps({"audio": b64(PCM)})) == ask.AppendAudio(audio=PCM)


NOT_NAMED = "the session is not named yet"
WRONG: dict[str, tuple[str | bytes, str]] = {
    "not JSON": ("hello", "wrong frame"),
    "empty": ("", "wrong frame"),
    "cut off": (frame(b64(PCM))[:-3], "wrong frame"),
    "a list": ("[]", "wrong frame"),
    "a number": ("1", "wrong frame"),
    "null": ("null", "wrong frame"),
    "binary": (PCM, "wrong frame"),
    "NaN": ('{"is_close":NaN}', "wrong frame"),
    "lone surrogate": ('{"audio":"\\ud800"}', "wrong frame"),
    "deep": ('{"audio":' + "[" * 100_000, "wrong frame"),
    "large and wrong": ('{"audio":7,"x":"' + "y" * 2_000_000 + '"}', "the frame is larger than"),
    "audio is a number": (frame(7), "audio is not a string"),
    "audio is a list": (frame([1, 2]), "audio is not a string"),
    "audio is no base64": (frame("%%%%"), "audio is not valid base64"),
    "audio without padding": (frame("AAA"), "audio is not valid base64"),
    "meta_info is a string": ('{"audio":"","meta_info":"s1"}', "meta_info is not an object"),
    "session_id is a number": (frame(session_id=1), "meta_info.session_id is not a string"),
    "session_id is empty": (frame(session_id=""), "meta_info.session_id does not have 1 to"),
    "session_id is endless": (frame(session_id="x" * 1000), "meta_info.session_id does not have 1 to"),
    "encoding is a number": (frame(encoding=1), "meta_info.encoding is not a string"),
    "unknown encoding": (frame(encoding="opus"), "unknown encoding 'opus'"),
    "is_close is a string": (frame(is_close="true"), "is_close is not a boolean"),
    "audio before the session": ('{"audio":"AAAA","is_close":false}', NOT_NAMED),
    "close before the session": ('{"is_close":true}', NOT_NAMED),
}


@pytest.mark.parametrize(("wrong", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_frame_is_answered_by_what_was_wrong(wrong: str | bytes, said: str) -> None:
    dialect = VoiceCallDialect()
    begin = time.perf_counter()
    event = dialect.decode(wrong)
    assert time.perf_counter() - begin < 1
    assert isinstance(event, ask.Invalid)
    assert said in event.message
    (answer,) = dialect.encode_invalid(event)
    assert json.loads(answer) == {"type": "error", "code": 500, "msg": event.message}
    assert dialect.session_id is None
    assert dialect.decode(frame(b64(PCM))) == ask.AppendAudio(audio=PCM)


def test_a_call_has_one_session() -> None:
    dialect = named()
    event = dialect.decode(frame(b64(PCM), session_id="s2"))
    assert isinstance(event, ask.Invalid)
    assert event.message == "the call belongs to another session"
    assert dialect.session_id == "s1"
    assert dialect.decode(frame(b64(PCM))) == ask.AppendAudio(audio=PCM)


@given(st.one_of(st.text(), st.binary(), JSON.map(json.dumps), OBJECTS.map(json.dumps)))
def test_any_frame_is_read_without_an_exception(anything: str | bytes) -> None:
    for dialect in (VoiceCallDialect(), named()):
        event = dialect.decode(anything)
        assert event is None or isinstance(event, ask.AppendAudio | ask.EndInput | ask.Invalid)


@given(JSON, JSON, JSON, JSON)
def test_any_members_are_read_without_an_exception(
    audio: Any, session: Any, encoding: Any, close: Any
) -> None:
    event = VoiceCallDialect().decode(frame(audio, session, encoding, close))
    assert event is None or isinstance(event, ask.AppendAudio | ask.EndInput | ask.Invalid)


# --- the configuration of such a call ---


def test_the_protocol_settles_what_it_leaves_no_choice_about() -> None:
    stored = SessionConfig(
        output_modalities=["text"],
        audio=Audio(AudioInput(turn_detection=None), AudioOutput(voice="joe")),
        tools=[FunctionTool("f")],
        tool_choice="required",
        instructions="x",
    )
    config = VoiceCallDialect().configure(stored)
    assert config.audio.input.format == PCM_16K
    assert config.audio.input.turn_detection == ServerVad()
    assert (config.output_modalities, config.tools, config.tool_choice) == (["audio"], [], "auto")
    assert (config.audio.output, config.instructions) == (stored.audio.output, "x")


def test_the_sessions_turn_detection_is_kept() -> None:
    detection = SemanticVad("high", create_response=False)
    config = VoiceCallDialect().configure(SessionConfig(audio=Audio(AudioInput(turn_detection=detection))))
    assert config.audio.input.turn_detection == SemanticVad("high", create_response=True)


def test_a_session_that_only_listens_is_answered_all_the_same() -> None:
    config = VoiceCallDialect().configure(SessionConfig(type="transcription"))
    assert config.answers_turns


# --- call to client ---


def spoken(container: str, form: AudioFormat = PCM_24K) -> VoiceCallDialect:
    dialect = named()
    dialect.configure(
        SessionConfig(
            audio=Audio(output=AudioOutput(form)),
            dialtone=Extensions(container=container),  # type: ignore[arg-type]
        )
    )
    return dialect


def delta(audio: bytes) -> out.OutputAudioDelta:
    return out.OutputAudioDelta("resp_1", "item_1", 0, 0, audio)


def test_raw_audio_goes_out_as_it_comes_and_the_text_after_it() -> None:
    dialect = spoken("raw")
    frames = [
        *dialect.encode(delta(PCM)),
        *dialect.encode(delta(PCM)),
        *dialect.encode(out.SentenceSpoken("resp_1", 0, " 你好。")),
    ]
    assert frames[:2] == [PCM, PCM]
    assert [json.loads(text) for text in frames[2:]] == [{"type": "text", "code": 200, "msg": "你好。"}]


@pytest.mark.parametrize("form", [PCM_16K, PCM_24K])
def test_wav_is_one_file_a_sentence(form: AudioFormat) -> None:
    dialect = spoken("wav", form)
    assert dialect.encode(delta(PCM)) == dialect.encode(delta(PCM[:100])) == []
    file, text = dialect.encode(out.SentenceSpoken("resp_1", 0, "Hello."))
    assert isinstance(file, bytes)
    with wave.open(io.BytesIO(file)) as read:
        assert (read.getnchannels(), read.getsampwidth(), read.getframerate()) == (1, 2, form.sample_rate)
        assert read.readframes(10_000) == PCM + PCM[:100]
    assert json.loads(text)["msg"] == "Hello."


def test_wav_of_g711_has_its_own_tag() -> None:
    dialect = spoken("wav", AudioFormat("audio/pcmu"))
    dialect.encode(delta(PCM))
    file = dialect.encode(out.SentenceSpoken("resp_1", 0, "Hi."))[0]
    assert isinstance(file, bytes)
    assert file[20:36] == b"\x07\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00"
    assert file[44:] == PCM


def test_the_audio_collected_for_a_file_is_bounded() -> None:
    dialect = spoken("wav")
    frames = [f for _ in range(5) for f in dialect.encode(delta(bytes(MAX_WAV // 2)))]
    assert len(frames) == 2


def test_a_sentence_that_was_broken_off_leaves_nothing_behind() -> None:
    dialect = spoken("wav")
    dialect.encode(delta(PCM))
    assert dialect.encode(out.ResponseDone(response("cancelled"))) == []
    assert [type(f) for f in dialect.encode(out.SentenceSpoken("resp_2", 0, "Hi."))] == [str]


def test_a_piece_of_white_space_is_not_said() -> None:
    assert spoken("raw").encode(out.SentenceSpoken("resp_1", 1, "\n")) == []


@pytest.mark.parametrize(
    ("event", "code", "msg"),
    [
        (out.Error(out.ErrorDetail("server_error", "overloaded", "too busy")), 500, "too busy"),
        (out.Error(out.ErrorDetail("invalid_request_error", "session_not_found", "none")), 404, "none"),
        (out.ResponseDone(response("failed", status_details=FAILED)), 500, "too busy"),
        (
            out.TranscriptionFailed("i", 0, out.TranscriptionError("server_error", "x", "not heard")),
            500,
            "not heard",
        ),
    ],
)
def test_what_goes_wrong_is_said(event: out.ServerEvent, code: int, msg: str) -> None:
    (answer,) = spoken("raw").encode(event)
    assert json.loads(answer) == {"type": "error", "code": code, "msg": msg}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_clients_see_only_frames_of_their_protocol(event: out.ServerEvent) -> None:
    for answer in spoken("raw").encode(event):
        if isinstance(answer, str):
            message = json.loads(answer)
            assert message.keys() == {"type", "code", "msg"}
            assert message["type"] in ("text", "error")
        else:
            assert isinstance(event, out.OutputAudioDelta)


def test_a_call_that_moshi_answers_has_no_turns_to_be_detected_unless_it_asks() -> None:
    moshi = blank_session("moshi", "")
    assert VoiceCallDialect().configure(moshi).audio.input.turn_detection is None
    asking = msgspec.structs.replace(
        moshi, audio=Audio(AudioInput(turn_detection=ServerVad(interrupt_response=False)))
    )
    kept = VoiceCallDialect().configure(asking).audio.input.turn_detection
    assert kept == ServerVad(interrupt_response=False)
