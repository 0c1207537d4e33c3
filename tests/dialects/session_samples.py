"""For each session field an update that names it, and the same one without it."""

from __future__ import annotations

from typing import Any

FUNCTION = {"type": "function", "name": "f"}
REMOTE = {"type": "mcp", "server_label": "x"}
VARIABLE = {"type": "input_text", "text": "x"}
DETECTION = {"type": "server_vad"}

# Values that are not the default, by the path without `audio.input.`, which beta does not have. Of
# fields that are not here, the value does not matter.
VALUES: dict[str, Any] = {
    "type": "transcription",
    "output_modalities": ["text"],
    "modalities": ["text"],
    "format.type": "audio/pcmu",
    "format.rate": 24_000,
    "audio.output.format.type": "audio/pcmu",
    "audio.output.format.rate": 24_000,
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "g711_ulaw",
    "audio.output.speed": 1.2,
    "speed": 1.2,
    "turn_detection.type": "semantic_vad",
    "turn_detection.threshold": 0.4,
    "turn_detection.prefix_padding_ms": 100,
    "turn_detection.silence_duration_ms": 200,
    "turn_detection.idle_timeout_ms": 6000,
    "turn_detection.eagerness": "low",
    "turn_detection.create_response": False,
    "turn_detection.interrupt_response": False,
    "transcription.language": "de",
    "input_audio_transcription.language": "de",
    "noise_reduction.type": "far_field",
    "input_audio_noise_reduction.type": "far_field",
    "tools.type": "function",
    "tools.parameters": {"type": "object"},
    "tool_choice": "none",
    "tool_choice.type": "function",
    "max_output_tokens": 50,
    "max_response_output_tokens": 50,
    "parallel_tool_calls": False,
    "temperature": 0.9,
    "tracing": "auto",
    "tracing.metadata": {"x": 1},
    "truncation": "disabled",
    "truncation.type": "retention_ratio",
    "truncation.retention_ratio": 0.6,
    "truncation.token_limits.post_instructions": 9,
    "prompt.variables.type": "input_text",
    "include": ["item.input_audio_transcription.logprobs"],
}
# What stands in an object, both with and without the field that it is about.
IN_OBJECT: dict[str, dict[str, Any]] = {
    "format": {"type": "audio/pcm"},
    "audio.output.format": {"type": "audio/pcm"},
    "turn_detection": DETECTION,
    "noise_reduction": {"type": "near_field"},
    "input_audio_noise_reduction": {"type": "near_field"},
    "tools": FUNCTION,
    "tool_choice": FUNCTION,
    "truncation": {"type": "retention_ratio", "retention_ratio": 0.5},
    "prompt": {"id": "p"},
    "prompt.variables": VARIABLE,
    "audio.output.voice": {"id": "x"},
}
# The same for single fields.
BESIDE: dict[str, dict[str, Any]] = {
    "turn_detection.eagerness": {"type": "semantic_vad"},
    "tool_choice.server_label": {"type": "mcp"},
    **{f"prompt.variables.{member}": {"type": "input_image"} for member in ("image_url", "detail")},
    **{
        f"prompt.variables.{member}": {"type": "input_file"}
        for member in ("file_id", "file_data", "file_url", "filename")
    },
}
OF_FUNCTIONS = ("type", "name", "description", "parameters", "allowed_callers", "defer_loading")
# Of one possible value: what says that the object is there.
ONE_VALUE = {
    "tools.type",
    "tool_choice.type",
    "truncation.type",
    "prompt.variables.type",
}


def updates(path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two sessions of `session.update`, in the dialect that the path is of."""
    parent, _, member = path.rpartition(".")
    short, place = path.removeprefix("audio.input."), parent.removeprefix("audio.input.")
    beside = BESIDE.get(short, IN_OBJECT.get(place, {}))
    if parent.startswith("tools") and path.split(".")[1] not in OF_FUNCTIONS:
        beside = REMOTE if parent == "tools" else {}
    named = _nested(parent, beside | {member: VALUES.get(short, "some_value")})
    return named, {} if short in ONE_VALUE else _nested(parent, beside)


def _nested(parent: str, value: dict[str, Any]) -> dict[str, Any]:
    """The session with this object at the path."""
    while parent:
        parent, _, member = parent.rpartition(".")
        if member == "variables":
            value = {"a": value}
        beside = IN_OBJECT.get(parent.removeprefix("audio.input."), {})
        if parent == "tools":
            beside = REMOTE
        value = beside | {member: [value] if member == "tools" else value}
    return value
