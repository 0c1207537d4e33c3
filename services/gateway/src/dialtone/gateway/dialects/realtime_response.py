"""The options of `response.create`."""

from __future__ import annotations

from typing import Any

import msgspec

from dialtone.gateway.core.client_events import ResponseOptions
from dialtone.gateway.core.field_rules import (
    Errors,
    Rule,
    boolean,
    keep_null,
    members,
    number,
    one_of,
    text,
    wrong_type,
    wrong_value,
)
from dialtone.gateway.core.session_update import (
    PROTOCOL_RATES,
    audio_format,
    max_output_tokens,
    output_modalities,
    tool_choice,
    tools,
    voice,
)

from .realtime_items import read_input_item

MAX_INPUT_ITEMS = 1024
MAX_METADATA = 16
MAX_METADATA_KEY = 64
MAX_METADATA_VALUE = 512


def read_options(value: Any, path: str, errors: Errors) -> ResponseOptions:
    """Read the `response` member; absent or null means the session's settings in everything."""
    if value is None:
        return ResponseOptions()
    options = members(ResponseOptions(), value, _OPTIONS, path, errors)
    audio = _object(value, "audio", path, errors)
    output = _object(audio, "output", f"{path}.audio", errors)
    path = f"{path}.audio.output"
    return msgspec.structs.replace(
        options,
        output_format=_FORMAT(output.get("format"), None, f"{path}.format", errors),
        voice=_VOICE(output.get("voice"), None, f"{path}.voice", errors),
    )


def _object(value: Any, member: str, path: str, errors: Errors) -> dict[str, Any]:
    child = value.get(member) if isinstance(value, dict) else None
    if child is not None and not isinstance(child, dict):
        wrong_type(errors, f"{path}.{member}", "an object", child)
    return child if isinstance(child, dict) else {}


def _metadata(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if not isinstance(value, dict):
        wrong_type(errors, path, "an object", value)
        return current
    if len(value) > MAX_METADATA:
        wrong_value(errors, path, f"expected at most {MAX_METADATA} pairs.")
        return current
    for key, entry in value.items():
        param = f"{path}.{key[:MAX_METADATA_KEY]}"
        if len(key) > MAX_METADATA_KEY:
            wrong_value(errors, param, f"expected a key of at most {MAX_METADATA_KEY} characters.")
        elif not isinstance(entry, str):
            wrong_type(errors, param, "a string", entry)
        elif len(entry) > MAX_METADATA_VALUE:
            wrong_value(errors, param, f"expected at most {MAX_METADATA_VALUE} characters.")
    return value


def _input(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if not isinstance(value, list):
        wrong_type(errors, path, "an array", value)
        return current
    if len(value) > MAX_INPUT_ITEMS:
        wrong_value(errors, path, f"expected at most {MAX_INPUT_ITEMS} items.")
        return current
    return [read_input_item(item, f"{path}[{i}]", errors) for i, item in enumerate(value)]


def _format(value: Any, current: Any, path: str, errors: Errors) -> Any:
    return audio_format(value, current, path, errors, PROTOCOL_RATES)


_FORMAT = keep_null(_format)
_VOICE = keep_null(voice)
_OPTIONS: dict[str, Rule] = {
    member: keep_null(rule)
    for member, rule in {
        "output_modalities": output_modalities,
        "instructions": text,
        "tools": tools,
        "tool_choice": tool_choice,
        "max_output_tokens": max_output_tokens,
        "conversation": one_of("auto", "none"),
        "metadata": _metadata,
        "input": _input,
        "temperature": number(0, 2),
        "parallel_tool_calls": boolean,
    }.items()
}
