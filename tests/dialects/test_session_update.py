"""Merging a partial session configuration: what is taken, what is refused and by which name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.gateway.core.session import (
    PCM_16K,
    PCM_24K,
    AudioFormat,
    Extensions,
    FunctionChoice,
    FunctionTool,
    NoiseReduction,
    SemanticVad,
    ServerVad,
    SessionConfig,
    Transcription,
)
from dialtone.gateway.core.session_update import MAX_ERRORS, merge_session
from dialtone.gateway.dialects.realtime_beta_session import beta_session_object
from dialtone.gateway.dialects.realtime_encode import session_object
from tests.dialects.json_values import JSON, OBJECTS


def merged(patch: dict[str, Any], config: SessionConfig | None = None) -> SessionConfig:
    result, errors = merge_session(config or SessionConfig(), patch)
    assert errors == []
    return result


def at(config: SessionConfig, path: str) -> Any:
    value: Any = config
    for member in path.split("."):
        value = getattr(value, member)
    return value


def nested(path: str, value: Any) -> dict[str, Any]:
    for member in reversed(path.split(".")):
        value = {member: value}
    assert isinstance(value, dict)
    return value


RETENTION = {"type": "retention_ratio", "retention_ratio": 0.5}
LIMITED = {"token_limits": {"post_instructions": 8000}}
VARIABLES = {"city": "Basel", "note": {"type": "input_text", "text": "rain"}}
TAKEN: list[tuple[str, Any, Any]] = [
    ("instructions", "Be brief.", "Be brief."),
    ("instructions", "", ""),
    ("output_modalities", ["text"], ["text"]),
    ("max_output_tokens", 4096, 4096),
    ("max_output_tokens", "inf", "inf"),
    ("tools", [], []),
    ("tools", [{"type": "function", "name": "f"}], [FunctionTool("f")]),
    (
        "tools",
        [{"type": "function", "name": "f", "description": "d", "parameters": {"$schema": "x"}, "strict": 1}],
        [FunctionTool("f", "d", {"$schema": "x"})],
    ),
    ("tool_choice", "required", "required"),
    ("tool_choice", {"type": "function", "name": "f"}, FunctionChoice("f")),
    ("tracing", "auto", "auto"),
    ("tracing", {"workflow_name": "w", "group_id": None}, {"workflow_name": "w"}),
    ("tracing", {"metadata": {"a": [1]}, "colour": "red"}, {"metadata": {"a": [1]}}),
    ("truncation", "disabled", "disabled"),
    ("truncation", RETENTION, RETENTION),
    ("truncation", RETENTION | LIMITED | {"newer": 1}, RETENTION | LIMITED),
    ("prompt", {"id": "p"}, {"id": "p"}),
    ("prompt", {"id": "p", "version": None, "variables": VARIABLES}, {"id": "p", "variables": VARIABLES}),
    ("include", ["item.input_audio_transcription.logprobs"], ["item.input_audio_transcription.logprobs"]),
    ("audio.input.format", {"type": "audio/pcm", "rate": 24000}, PCM_24K),
    ("audio.input.format", {"type": "audio/pcm"}, PCM_24K),
    ("audio.output.format", {"type": "audio/pcma"}, AudioFormat("audio/pcma")),
    ("audio.output.voice", "marin", "marin"),
    ("audio.output.voice", {"id": "voice_1"}, "voice_1"),
    ("audio.output.speed", 1.5, 1.5),
    ("audio.output.speed", 1, 1.0),
    ("audio.input.noise_reduction", {"type": "far_field", "strength": 1}, NoiseReduction("far_field")),
    ("audio.input.transcription", {"model": "whisper-1", "delay": "low"}, Transcription("whisper-1")),
    ("audio.input.transcription", {"language": "zh-CN"}, Transcription(language="zh-CN")),
    ("audio.input.turn_detection", None, None),
    ("audio.input.turn_detection", {"type": "semantic_vad", "eagerness": "low"}, SemanticVad("low")),
    ("audio.input.turn_detection", {"type": "server_vad", "threshold": 0.9}, ServerVad(threshold=0.9)),
    ("audio.input.turn_detection", {"silence_duration_ms": 200.0}, ServerVad(silence_duration_ms=200)),
    ("audio.input.turn_detection", {"idle_timeout_ms": 6000}, ServerVad(idle_timeout_ms=6000)),
    ("dialtone.temperature", 0.3, 0.3),
    ("dialtone.speaker_id", 7, "7"),
    ("dialtone.vad_engine", "silero", "silero"),
    ("dialtone.container", "wav", "wav"),
    ("dialtone.turn_metrics", True, True),
    ("dialtone.partial_transcripts", True, True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "result"), TAKEN, ids=[f"{path}={value}" for path, value, _ in TAKEN]
)
def test_taken(path: str, value: Any, result: Any) -> None:
    assert at(merged(nested(path, value)), path) == result


TYPE, VALUE = "invalid_type", "invalid_value"
MISSING, UNKNOWN = "missing_required_parameter", "unknown_parameter"

# Where, what, what of it the error names, and how.
WRONG: list[tuple[str, Any, str, str]] = [
    ("instructions", 7, "", TYPE),
    ("instructions", "x" * 300_000, "", VALUE),
    ("output_modalities", ["audio", "text"], "", VALUE),
    ("output_modalities", "audio", "", TYPE),
    ("output_modalities", [], "", VALUE),
    ("max_output_tokens", 0, "", VALUE),
    ("max_output_tokens", 4097, "", VALUE),
    ("max_output_tokens", "infinite", "", VALUE),
    ("max_output_tokens", 1.5, "", TYPE),
    ("max_output_tokens", True, "", TYPE),
    ("max_output_tokens", 10**30, "", VALUE),
    ("tools", {"type": "function"}, "", TYPE),
    ("tools", [{"type": "function"}], "[0].name", MISSING),
    ("tools", [{"name": "f"}, {"type": "web_search", "name": "g"}], "[1].type", VALUE),
    ("tools", [{"name": "f", "parameters": []}], "[0].parameters", TYPE),
    ("tools", [{"name": "f"}] * 129, "", VALUE),
    ("tool_choice", "maybe", "", VALUE),
    ("tool_choice", {"type": "function"}, ".name", MISSING),
    ("tool_choice", [], "", TYPE),
    ("tracing", "manual", "", VALUE),
    ("truncation", {"type": "retention_ratio", "retention_ratio": 2}, ".retention_ratio", VALUE),
    ("tracing", {"workflow_name": 1}, ".workflow_name", TYPE),
    ("tracing", {"metadata": "m"}, ".metadata", TYPE),
    ("truncation", {"retention_ratio": 0.5}, ".type", MISSING),
    ("truncation", {"type": "retention_ratio"}, ".retention_ratio", MISSING),
    ("truncation", RETENTION | {"token_limits": [1]}, ".token_limits", TYPE),
    ("prompt", {}, ".id", MISSING),
    ("prompt", {"id": "p", "version": 2}, ".version", TYPE),
    ("prompt", {"id": "p", "variables": {"city": 1}}, ".variables.city", TYPE),
    ("prompt", {"id": "p", "variables": {"v": {"type": "file", "text": ""}}}, ".variables.v.type", VALUE),
    ("include", ["everything"], "", VALUE),
    ("audio", "pcm16", "", TYPE),
    ("audio.input", [], "", TYPE),
    ("audio.input.format", "pcm16", "", TYPE),
    ("audio.input.format", {}, ".type", MISSING),
    ("audio.input.format", {"type": "audio/mp3"}, ".type", VALUE),
    ("audio.input.format", {"type": "audio/pcm", "rate": 16000}, ".rate", VALUE),
    ("audio.input.format", {"type": "audio/pcm", "rate": "24k"}, ".rate", TYPE),
    ("audio.output.voice", "", "", VALUE),
    ("audio.output.voice", {}, ".id", MISSING),
    ("audio.output.speed", 0.2, "", VALUE),
    ("audio.output.speed", float("nan"), "", VALUE),
    ("audio.output.speed", "fast", "", TYPE),
    ("audio.input.noise_reduction", {}, ".type", MISSING),
    ("audio.input.transcription", "whisper-1", "", TYPE),
    ("audio.input.turn_detection", "server_vad", "", TYPE),
    ("audio.input.turn_detection.type", "none", "", VALUE),
    ("audio.input.turn_detection.threshold", 1.5, "", VALUE),
    ("audio.input.turn_detection.threshold", "0.5", "", TYPE),
    ("audio.input.turn_detection.idle_timeout_ms", 1, "", VALUE),
    ("audio.input.turn_detection.create_response", 1, "", TYPE),
    ("dialtone", True, "", TYPE),
    ("dialtone.temprature", 1, "", UNKNOWN),
    ("dialtone.vad_aggressiveness", 4, "", VALUE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "below", "code"), WRONG, ids=[f"{w[0]}={str(w[1])[:40]}" for w in WRONG]
)
def test_a_wrong_value_is_named_and_changes_nothing(path: str, value: Any, below: str, code: str) -> None:
    param = f"session.{path}{below}"
    config, errors = merge_session(SessionConfig(), nested(path, value))
    assert [(error.param, error.code) for error in errors] == [(param, code)]
    assert param.split("[")[0] in errors[0].message
    assert config == SessionConfig()


def test_the_right_rest_of_a_patch_is_applied() -> None:
    config, errors = merge_session(
        SessionConfig(),
        {
            "instructions": "x",
            "max_output_tokens": -1,
            "audio": {
                "input": {
                    "turn_detection": {"type": "server_vad", "threshold": 7, "silence_duration_ms": 300}
                },
                "output": {"speed": 9, "voice": "marin"},
            },
        },
    )
    assert sorted(error.param for error in errors) == [
        "session.audio.input.turn_detection.threshold",
        "session.audio.output.speed",
        "session.max_output_tokens",
    ]
    assert config.instructions == "x"
    assert config.audio.input.turn_detection == ServerVad(silence_duration_ms=300)
    assert (config.audio.output.voice, config.audio.output.speed) == ("marin", 1.0)


def test_absent_members_keep_their_value() -> None:
    first = merged(
        {"instructions": "x", "audio": {"input": {"transcription": {"model": "m", "language": "en"}}}}
    )
    second = merged({"audio": {"input": {"transcription": {"prompt": "p"}}, "output": {"voice": "v"}}}, first)
    assert second.instructions == "x"
    assert second.audio.input.transcription == Transcription("m", "en", "p")
    assert second.audio.input.turn_detection == ServerVad()


def test_a_remote_mcp_tool_is_refused_by_its_name_and_the_other_tools_apply() -> None:
    tools = [{"name": "f"}, {"type": "mcp", "server_label": "wiki", "server_url": "https://x"}, {"name": "g"}]
    config, errors = merge_session(SessionConfig(), {"tools": tools})
    assert [error.param for error in errors] == ["session.tools[1].type"]
    assert "'wiki'" in errors[0].message
    assert [tool.name for tool in config.tools] == ["f", "g"]


def test_a_wrong_language_leaves_transcription_on() -> None:
    config, errors = merge_session(SessionConfig(), nested("audio.input.transcription.language", 7))
    assert [error.param for error in errors] == ["session.audio.input.transcription.language"]
    assert config.audio.input.transcription == Transcription()


def test_turn_detection_is_replaced_not_merged() -> None:
    first = merged({"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}}})
    again = merged({"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}, first)
    assert again.audio.input.turn_detection == ServerVad()


def test_null_switches_off_what_can_be_off_and_leaves_the_rest() -> None:
    on = merged(
        {
            "instructions": "x",
            "audio": {"input": {"transcription": {}, "noise_reduction": {"type": "near_field"}}},
            "tracing": "auto",
            "dialtone": {"temperature": 1, "container": "wav"},
        }
    )
    off = merged(
        {
            "instructions": None, "tools": None, "max_output_tokens": None, "output_modalities": None,
            "tool_choice": None, "truncation": None, "tracing": None, "prompt": None, "include": None,
            "audio": {
                "input": dict.fromkeys(["format", "transcription", "noise_reduction", "turn_detection"]),
                "output": {"format": None, "voice": None, "speed": None},
            },
            "dialtone": {"temperature": None, "container": None},
        },
        on,
    )  # fmt: skip
    incoming = off.audio.input
    assert (incoming.transcription, incoming.noise_reduction, incoming.turn_detection) == (None, None, None)
    assert (off.instructions, off.tracing) == ("x", None)
    assert off.dialtone == Extensions(container="wav")
    assert merged({"audio": None, "dialtone": None}, on) == on
    assert merged({"audio": {"input": None, "output": None}}, on) == on


def test_model_and_type_stay() -> None:
    config = SessionConfig(model="ours")
    assert merged({"type": "realtime", "model": "gpt-realtime-2.1"}, config) == config


def test_members_that_have_no_use_here_are_passed_over() -> None:
    patch = {"reasoning": {"effort": "low"}, "temperature": 0.8, "x": [1]}
    assert merged(patch) == SessionConfig()


def test_calls_at_once_are_shown_to_those_who_said_whether_they_want_them() -> None:
    shown = session_object(merged({"parallel_tool_calls": False}), "sess_1", 1)
    assert shown["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in session_object(merged({}), "sess_1", 1)
    assert "parallel_tool_calls" not in beta_session_object(merged({"parallel_tool_calls": False}), "s", 1)


def test_other_rates_are_for_those_who_may_name_them() -> None:
    patch = {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}
    config, errors = merge_session(SessionConfig(), patch, pcm_rates=(16_000, 24_000))
    assert (config.audio.input.format, errors) == (PCM_16K, [])


def test_errors_are_bounded() -> None:
    _, errors = merge_session(SessionConfig(), {"dialtone": {f"x{i}" * 100: 1 for i in range(1000)}})
    assert len(errors) == MAX_ERRORS
    assert all(len(error.message) < 200 for error in errors)


SECTIONS = (
    "audio",
    "audio.input",
    "audio.output",
    "audio.input.turn_detection",
    "dialtone",
    "tools",
    "truncation",
)


@given(OBJECTS | st.builds(nested, st.sampled_from(SECTIONS), JSON))
def test_any_json_gives_a_configuration_that_can_be_stored(patch: dict[str, Any]) -> None:
    config, errors = merge_session(SessionConfig(), patch)
    assert msgspec.json.decode(msgspec.json.encode(config), type=SessionConfig) == config
    assert all(error.param.startswith("session.") and error.message for error in errors)
    again, same = merge_session(config, patch)
    assert (again, same) == (config, errors)


def test_a_session_stays_small_enough_to_be_told_in_one_frame() -> None:
    config, errors = merge_session(SessionConfig(), {"instructions": "\u4f60" * 200_000})
    assert not errors
    again, errors = merge_session(
        config, {"tools": [{"name": f"f{i}", "description": "x" * 9000} for i in range(60)]}
    )
    assert [(error.param, error.code) for error in errors] == [("session", "invalid_value")]
    assert again == config
