"""What a session cannot have that Moshi answers, and what its client cannot ask for: refused by name.

Moshi speaks as it was trained to. It takes no instructions and calls no tools, has one voice, reads nothing,
and decides by itself when to speak.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from .field_rules import FieldError
from .session import AudioInput, ServerVad, SessionConfig, TurnDetection, moshi_variant

OWN_VOICE = "moshi"
CODE = "not_supported_by_model"
S = TypeVar("S", bound=msgspec.Struct)

# Fields of a session, and the only value that each can have.
_OWN: dict[str, Any] = {
    "instructions": "",
    "output_modalities": ["audio"],
    "audio.output.voice": OWN_VOICE,
    "audio.output.speed": 1.0,
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": msgspec.UNSET,
    "max_output_tokens": "inf",
    "prompt": None,
    "dialtone.temperature": None,
    "dialtone.top_p": None,
    "dialtone.language": None,
    "dialtone.speaker_id": None,
    "dialtone.noise_scale": None,
    "dialtone.noise_scale_w": None,
    "dialtone.length_scale": None,
    "dialtone.candidate_pause_ms": None,
}
_DETECTION = "audio.input.turn_detection"


def blank_session(model: str, instructions: str) -> SessionConfig:
    """What a session of this model begins with; `instructions` where it takes any.

    With Moshi there are no turns to be detected, unless a client wants to be told of speech.
    """
    config = SessionConfig(model=model)
    if config.moshi is None:
        return msgspec.structs.replace(config, instructions=instructions)
    listening = msgspec.structs.replace(config.audio, input=AudioInput(turn_detection=None))
    return within_moshi(msgspec.structs.replace(config, audio=listening))[0]


def within_moshi(config: SessionConfig) -> tuple[SessionConfig, list[FieldError]]:
    """The configuration as far as Moshi can have it, and what it cannot."""
    wrong = []
    for path, own in _OWN.items():
        if attrgetter(path)(config) != own:
            config = _with(config, path, own)
            wrong.append(_refused(path))
    detection, unable = _detection(config.audio.input.turn_detection)
    if unable:
        config = _with(config, _DETECTION, detection)
        wrong += [_refused(f"{_DETECTION}.{member}") for member in unable]
    return config, wrong


def at_opening(config: SessionConfig) -> tuple[SessionConfig, list[FieldError]]:
    """The same for a stored session, of which nobody chose what is as it is by default."""
    bounded, wrong = within_moshi(config)
    default = SessionConfig()
    return bounded, [error for error in wrong if not _same(config, default, error.param)]


def _same(config: SessionConfig, default: SessionConfig, param: str) -> bool:
    path = param.removeprefix("session.")
    return path in _OWN and attrgetter(path)(config) == attrgetter(path)(default)


def _detection(detection: TurnDetection | None) -> tuple[TurnDetection | None, list[str]]:
    if detection is None:
        return None, []
    unable = [] if detection.create_response else ["create_response"]
    bounded: TurnDetection = msgspec.structs.replace(detection, create_response=True)
    if isinstance(bounded, ServerVad) and bounded.idle_timeout_ms is not None:
        unable.append("idle_timeout_ms")
        bounded = msgspec.structs.replace(bounded, idle_timeout_ms=None)
    return bounded, unable


def _with(part: S, path: str, value: Any) -> S:
    name, _, below = path.partition(".")
    member = _with(getattr(part, name), below, value) if below else value
    return msgspec.structs.replace(part, **{name: member})


def _refused(path: str) -> FieldError:
    param = f"session.{path}"
    return FieldError(param, CODE, f"'{param}' cannot be set: Moshi {_why(path)}.")


def _why(path: str) -> str:
    whys = {
        "instructions": "takes no instructions",
        "prompt": "takes no instructions",
        "output_modalities": "speaks, and does not write",
        "audio.output.voice": f"has no voice but its own, '{OWN_VOICE}'",
        "audio.output.speed": "speaks at its own speed",
        "tools": "calls no tools",
        "tool_choice": "calls no tools",
        "parallel_tool_calls": "calls no tools",
        "max_output_tokens": "speaks as long as it likes",
        f"{_DETECTION}.create_response": "decides by itself when to speak",
        f"{_DETECTION}.idle_timeout_ms": "decides by itself when to speak",
        "dialtone.candidate_pause_ms": "decides by itself when to speak",
    }
    return whys.get(path, "is set for all of its calls together")


def model_change(config: SessionConfig, patch: dict[str, Any]) -> list[FieldError]:
    """A model is passed over in an update, for clients name their own; one that asks for a Moshi which the
    session has not got would be missed."""
    model = patch.get("model")
    variant = moshi_variant(model) if isinstance(model, str) else None
    if variant is None or variant == config.moshi:
        return []
    message = "A session keeps its model: ask for Moshi when it is opened."
    return [FieldError("session.model", "invalid_value", message)]
