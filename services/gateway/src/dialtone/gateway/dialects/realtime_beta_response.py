"""The options of the beta `response.create`, and responses as beta events carry them."""

from __future__ import annotations

from typing import Any

from dialtone.gateway.core.client_events import ResponseOptions
from dialtone.gateway.core.field_rules import Errors
from dialtone.gateway.core.session_update import max_output_tokens

from . import realtime_response as ga
from .realtime_beta_items import beta_item
from .realtime_beta_session import (
    DEFAULT_TEMPERATURE,
    FORMAT_NAMES,
    beta_modalities,
    ga_format,
    ga_modalities,
    ga_temperature,
    ga_tool_choice,
)

_SAME = ("instructions", "tools", "conversation", "metadata", "input")


def read_options(value: Any, path: str, errors: Errors) -> ResponseOptions:
    """Read the flat `response` member; absent or null means the session's settings in everything.

    What the options have in common with GA is judged there.
    """
    if not isinstance(value, dict):
        return ga.read_options(value, path, errors)
    nested: dict[str, Any] = {member: value[member] for member in _SAME if member in value}
    nested["tool_choice"] = ga_tool_choice(value.get("tool_choice"))
    for member, (name, translate) in _TRANSLATED.items():
        if value.get(member) is not None:
            nested[name] = translate(value[member], f"{path}.{member}", errors)
    output = {"voice": value.get("voice")}
    if value.get("output_audio_format") is not None:
        output["format"] = ga_format(value["output_audio_format"], f"{path}.output_audio_format", errors)
    nested["audio"] = {"output": output}
    return ga.read_options(nested, path, errors)


def _max_output_tokens(value: Any, path: str, errors: Errors) -> Any:
    return max_output_tokens(value, None, path, errors)


def beta_response(response: dict[str, Any]) -> dict[str, Any]:
    """A GA response object with beta's names."""
    output, temperature = response["audio"]["output"], response["temperature"]
    return {
        "object": response["object"],
        "id": response["id"],
        "status": response["status"],
        "status_details": response["status_details"],
        "output": [beta_item(item) for item in response["output"]],
        "conversation_id": response["conversation_id"],
        "modalities": beta_modalities(response["output_modalities"]),
        "voice": output["voice"],
        "output_audio_format": FORMAT_NAMES[output["format"]["type"]],
        "temperature": DEFAULT_TEMPERATURE if temperature is None else temperature,
        "max_output_tokens": response["max_output_tokens"],
        "usage": response["usage"],
        "metadata": response["metadata"],
    }


_TRANSLATED = {
    "modalities": ("output_modalities", ga_modalities),
    "temperature": ("temperature", ga_temperature),
    "max_response_output_tokens": ("max_output_tokens", _max_output_tokens),
    # The name that earlier clients know.
    "max_output_tokens": ("max_output_tokens", _max_output_tokens),
}
