"""The flat session of the beta protocol, from and to the nested one of the core.

The merge itself is the core's: a flat patch becomes a nested one, and what the core says of a
nested path is told by the flat name that the client used.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from dialtone.gateway.core.field_rules import (
    Errors,
    FieldError,
    number,
    one_of,
    wrong_type,
    wrong_value,
)
from dialtone.gateway.core.session import AudioFormat, SessionConfig

DEFAULT_TEMPERATURE = 0.8
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.6, 1.2

FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
FORMAT_NAMES = {ga: beta for beta, ga in FORMATS.items()}

# Flat name and where it stands in the nested object; both in sessions and in options of a response.
NAMES = {
    "modalities": "output_modalities",
    "input_audio_format": "audio.input.format",
    "input_audio_transcription": "audio.input.transcription",
    "input_audio_noise_reduction": "audio.input.noise_reduction",
    "turn_detection": "audio.input.turn_detection",
    "output_audio_format": "audio.output.format",
    "voice": "audio.output.voice",
    "speed": "audio.output.speed",
    "max_response_output_tokens": "max_output_tokens",
    "temperature": "dialtone.temperature",
}
# Members that have the same name in both.
SAME = ("model", "instructions", "tools", "tracing", "include")
# Temperature is judged here, so that what the core says of `dialtone.temperature` is about just that.
_FLAT = {nested: flat for flat, nested in NAMES.items() if flat != "temperature"}
# Options of a response that are judged under their flat names keep these.
_PLACE = r"session\.|response\.(?!max_output_tokens)"
_NESTED_PATH = re.compile(rf"^({_PLACE})?({'|'.join(map(re.escape, _FLAT))})(?=[.\[]|$)")


def ga_patch(flat: dict[str, Any], path: str, errors: Errors) -> dict[str, Any]:
    """The nested patch that a flat one stands for, both partial.

    `path` is where the flat one stands in the client's message, "" for the message itself. What
    cannot be translated is left out and reported by its flat name; all other values are as the
    client wrote them, for the core to judge. Members that the beta protocol does not know are
    passed over.
    """
    patch: dict[str, Any] = {member: flat[member] for member in SAME if member in flat}
    extensions = flat.get("dialtone")
    if isinstance(extensions, dict):
        patch["dialtone"] = dict(extensions)
    elif extensions is not None:
        wrong_type(errors, _join(path, "dialtone"), "an object", extensions)
    for member in NAMES.keys() & flat.keys():
        value = flat[member]
        translate = _TRANSLATED.get(member)
        if value is None and member == "temperature":
            continue  # as it is, while null would take the core's member back to its default
        if translate is not None and value is not None:
            found = len(errors)
            value = translate(value, _join(path, member), errors)
            if len(errors) > found:
                continue
        _put(patch, NAMES[member], value)
    if "tool_choice" in flat:
        patch["tool_choice"] = ga_tool_choice(flat["tool_choice"])
    return patch


def flat_path(path: str) -> str:
    """The client's name for a nested path: `session.audio.input.format` is `session.input_audio_format`."""
    return _NESTED_PATH.sub(lambda found: (found[1] or "") + _FLAT[found[2]], path)


def flat_error(error: FieldError) -> FieldError:
    """An error of a nested path told by the flat one, in its text too."""
    param = flat_path(error.param)
    return FieldError(param, error.code, error.message.replace(f"'{error.param}", f"'{param}"))


def beta_session_object(config: SessionConfig, session_id: str, expires_at: int) -> dict[str, Any]:
    """The complete effective session, flat; of a transcription session its own shape.

    `expires_at` in unix seconds. Our own members are shown only to those who use them.
    """
    nested = msgspec.to_builtins(config)
    incoming, outgoing = nested["audio"]["input"], nested["audio"]["output"]
    detection = incoming["turn_detection"]
    session: dict[str, Any] = {
        "id": session_id,
        "object": "realtime.session",
        "expires_at": expires_at,
        "model": config.model,
        "modalities": beta_modalities(config.output_modalities),
        "instructions": config.instructions,
        "voice": outgoing["voice"],
        "speed": outgoing["speed"],
        "input_audio_format": beta_format(config.audio.input.format),
        "output_audio_format": beta_format(config.audio.output.format),
        "input_audio_transcription": incoming["transcription"],
        "input_audio_noise_reduction": incoming["noise_reduction"],
        "turn_detection": detection and _without(detection, "idle_timeout_ms"),
        "tools": nested["tools"],
        "tool_choice": nested["tool_choice"],
        "temperature": _temperature(config),
        "max_response_output_tokens": config.max_output_tokens,
        "tracing": config.tracing,
        "include": config.include,
        "client_secret": None,
    }
    extra = _without(nested["dialtone"], "temperature")
    if config.type == "transcription":
        session = {member: session[member] for member in _TRANSCRIPTION_MEMBERS}
        session["object"] = "realtime.transcription_session"
        session["turn_detection"] = detection and {
            member: value for member, value in detection.items() if member in _HEARD_DETECTION_MEMBERS
        }
    return session | ({"dialtone": extra} if extra else {})


def beta_modalities(ga: list[Any]) -> list[str]:
    return ["audio", "text"] if "audio" in ga else ["text"]


def beta_format(form: AudioFormat) -> str:
    return FORMAT_NAMES[form.type]


def ga_tool_choice(value: Any) -> Any:
    """The function's name may stand one level down, as beta clients write it."""
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        return {"type": value.get("type", "function"), **value["function"]}
    return value


def ga_modalities(value: Any, path: str, errors: Errors) -> Any:
    if not isinstance(value, list):
        wrong_type(errors, path, "an array", value)
    elif value == ["text"]:
        return ["text"]
    elif value in (["audio", "text"], ["text", "audio"]):
        return ["audio"]
    else:
        wrong_value(errors, path, "supported values are: ['text'] and ['audio', 'text'].")
    return None


def ga_format(value: Any, path: str, errors: Errors) -> Any:
    name = one_of(*FORMATS)(value, None, path, errors)
    return {"type": FORMATS[name]} if name else None


def ga_temperature(value: Any, path: str, errors: Errors) -> Any:
    return number(MIN_TEMPERATURE, MAX_TEMPERATURE)(value, None, path, errors)


def _ga_turn_detection(value: Any, _path: str, _errors: Errors) -> Any:
    # Idle timeouts came with GA: their event has no beta form.
    return _without(value, "idle_timeout_ms") if isinstance(value, dict) else value


def _without(members: dict[str, Any], member: str) -> dict[str, Any]:
    return {key: value for key, value in members.items() if key != member}


def _temperature(config: SessionConfig) -> float:
    set_to = config.dialtone.temperature
    return DEFAULT_TEMPERATURE if set_to is None else set_to


def _put(patch: dict[str, Any], nested: str, value: Any) -> None:
    *parents, member = nested.split(".")
    for parent in parents:
        patch = patch.setdefault(parent, {})
    patch[member] = value


def _join(path: str, member: str) -> str:
    return f"{path}.{member}" if path else member


_TRANSLATED = {
    "modalities": ga_modalities,
    "input_audio_format": ga_format,
    "output_audio_format": ga_format,
    "temperature": ga_temperature,
    "turn_detection": _ga_turn_detection,
}
# Of the turn detection of a transcription session, which has nothing to do with responses.
_HEARD_DETECTION_MEMBERS = ("type", "threshold", "prefix_padding_ms", "silence_duration_ms")
_TRANSCRIPTION_MEMBERS = (
    "id",
    "object",
    "expires_at",
    "modalities",
    "input_audio_format",
    "input_audio_transcription",
    "input_audio_noise_reduction",
    "turn_detection",
    "include",
    "client_secret",
)
