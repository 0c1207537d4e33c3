"""Merges a client's partial configuration into a session's.

Absent members keep their value; each wrong one is reported by its dotted path and keeps its value
too, while the rest is applied. Null switches off turn detection, transcription and noise reduction,
takes a member of `dialtone` back to its default, and elsewhere changes nothing. A turn detection
object replaces the old one, its missing members filled from the defaults of its type. What a client
may send and this server has no use for is accepted: strictness there only breaks clients.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import msgspec

from .echoed_settings import include, prompt, tracing, truncation
from .field_rules import (
    Errors,
    FieldError,
    boolean,
    integer,
    keep_null,
    members,
    missing,
    name,
    nullable,
    number,
    one_of,
    section,
    text,
    wrong_type,
    wrong_value,
)
from .session import (
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

__all__ = [
    "FieldError",
    "audio_format",
    "max_output_tokens",
    "merge_session",
    "output_modalities",
    "tool_choice",
    "tools",
    "voice",
    "with_voice",
]

MAX_TOOLS = 128
# Of one patch; more of them tell a client nothing.
MAX_ERRORS = 16
MAX_OUTPUT_TOKENS = 4096
# Of a session as JSON: its client is told all of it in one frame, and many take no more than 1 MiB.
MAX_SESSION_BYTES = 900_000
# The protocol's only rate for PCM.
PROTOCOL_RATES = (24_000,)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")


def merge_session(
    config: SessionConfig,
    patch: dict[str, Any],
    *,
    path: str = "session",
    pcm_rates: Collection[int] = PROTOCOL_RATES,
) -> tuple[SessionConfig, list[FieldError]]:
    """Return `config` with `patch` (decoded JSON) merged in, and what was wrong with the patch.

    `path` is where the patch stands in the client's message; `pcm_rates` are the rates of PCM
    audio, in Hz, that the client may name. A session's model and type never change: another
    model is passed over, another type is wrong.
    """
    errors: Errors = []
    rules = {**_SESSION, "audio": keep_null(_audio(pcm_rates))}
    merged = members(config, patch, rules, path, errors)
    if merged != config and len(msgspec.json.encode(merged)) > MAX_SESSION_BYTES:
        wrong_value(errors, path, f"a session holds at most {MAX_SESSION_BYTES} bytes, as JSON.")
        merged = config
    return merged, errors[:MAX_ERRORS]


def with_voice(config: SessionConfig, voice: str) -> SessionConfig:
    """The same configuration with this voice."""
    replace = msgspec.structs.replace
    return replace(config, audio=replace(config.audio, output=replace(config.audio.output, voice=voice)))


def _language(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if value == "":
        return None
    if isinstance(value, str) and not _LANGUAGE.fullmatch(value):
        wrong_value(errors, path, "expected a language code such as 'en' or 'zh'.")
        return current
    return text(value, current, path, errors)


_SERVER_VAD = {
    "threshold": keep_null(number(0, 1)),
    "prefix_padding_ms": keep_null(integer(0, 10_000)),
    "silence_duration_ms": keep_null(integer(0, 60_000)),
    "idle_timeout_ms": nullable(integer(5_000, 30_000)),
    "create_response": keep_null(boolean),
    "interrupt_response": keep_null(boolean),
}
_SEMANTIC_VAD = {
    "eagerness": keep_null(one_of("low", "medium", "high", "auto")),
    "create_response": keep_null(boolean),
    "interrupt_response": keep_null(boolean),
}


def _turn_detection(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if not isinstance(value, dict):
        wrong_type(errors, path, "an object or null", value)
        return current
    semantic = isinstance(current, SemanticVad)
    kind = value.get("type")
    if kind is not None:
        found = len(errors)
        semantic = one_of("server_vad", "semantic_vad")(kind, "", f"{path}.type", errors) == "semantic_vad"
        if len(errors) > found:
            return current
    if semantic:
        return members(SemanticVad(), value, _SEMANTIC_VAD, path, errors)
    return members(ServerVad(), value, _SERVER_VAD, path, errors)


def _spoken_language(value: Any, current: Any, path: str, errors: Errors) -> Any:
    """Any name: of a language that they do not know the ears make what they hear."""
    return None if value == "" else name(value, current, path, errors)


_TRANSCRIPTION = {"model": nullable(name), "language": nullable(_spoken_language), "prompt": nullable(text)}


def _transcription(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if not isinstance(value, dict):
        wrong_type(errors, path, "an object or null", value)
        return current
    return members(current or Transcription(), value, _TRANSCRIPTION, path, errors)


def _noise_reduction(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if not isinstance(value, dict):
        wrong_type(errors, path, "an object or null", value)
    elif "type" not in value:
        missing(errors, f"{path}.type")
    else:
        kind = one_of("near_field", "far_field")(value["type"], None, f"{path}.type", errors)
        return NoiseReduction(kind) if kind else current
    return current


def audio_format(value: Any, current: Any, path: str, errors: Errors, rates: Collection[int]) -> Any:
    if not isinstance(value, dict):
        wrong_type(errors, path, "an object", value)
        return current
    if value.get("type") is None:
        missing(errors, f"{path}.type")
        return current
    kind = one_of("audio/pcm", "audio/pcmu", "audio/pcma")(value["type"], None, f"{path}.type", errors)
    if kind is None:
        return current
    if kind != "audio/pcm":
        return AudioFormat(kind)
    rate = value.get("rate")
    if rate is None:
        return AudioFormat(kind, max(PROTOCOL_RATES))
    rate = integer(1, 1_000_000)(rate, None, f"{path}.rate", errors)
    if rate is None:
        return current
    if rate not in rates:
        wrong_value(errors, f"{path}.rate", f"supported values are: {', '.join(map(str, sorted(rates)))}.")
        return current
    return AudioFormat(kind, rate)


def voice(value: Any, current: Any, path: str, errors: Errors) -> Any:
    """A voice's name; the protocol also has `{"id": name}` for custom ones."""
    if not isinstance(value, dict):
        return name(value, current, path, errors)
    if "id" not in value:
        missing(errors, f"{path}.id")
        return current
    return name(value["id"], current, f"{path}.id", errors)


def _audio(rates: Collection[int]) -> Any:
    def form(value: Any, current: Any, path: str, errors: Errors) -> Any:
        return audio_format(value, current, path, errors, rates)

    incoming = {
        "format": keep_null(form),
        "transcription": nullable(_transcription),
        "noise_reduction": nullable(_noise_reduction),
        "turn_detection": nullable(_turn_detection),
    }
    outgoing = {
        "format": keep_null(form),
        "voice": keep_null(voice),
        "speed": keep_null(number(0.25, 1.5)),
    }
    return section({"input": keep_null(section(incoming)), "output": keep_null(section(outgoing))})


def output_modalities(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if not isinstance(value, list):
        wrong_type(errors, path, "an array", value)
    elif value not in (["audio"], ["text"]):
        wrong_value(errors, path, "supported values are: ['audio'] and ['text'].")
    else:
        return value
    return current


def max_output_tokens(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if value == "inf":
        return value
    if isinstance(value, str):
        wrong_value(errors, path, f"expected an integer from 1 to {MAX_OUTPUT_TOKENS}, or 'inf'.")
        return current
    return integer(1, MAX_OUTPUT_TOKENS)(value, current, path, errors)


def tools(value: Any, current: Any, path: str, errors: Errors) -> Any:
    """The whole list or, if one tool of it is wrong, none of it. Remote MCP tools, which nothing here
    can run, are reported and left out."""
    if not isinstance(value, list):
        wrong_type(errors, path, "an array", value)
        return current
    if len(value) > MAX_TOOLS:
        wrong_value(errors, path, f"expected at most {MAX_TOOLS} tools.")
        return current
    remote = {i: t for i, t in enumerate(value) if isinstance(t, dict) and t.get("type") == "mcp"}
    found = len(errors)
    read = [_tool(t, f"{path}[{i}]", errors) for i, t in enumerate(value) if i not in remote]
    wrong = len(errors) > found
    for index, tool in remote.items():
        label = str(tool.get("server_label"))[:64]
        wrong_value(
            errors, f"{path}[{index}].type", f"remote MCP tools are not run here; '{label}' is left out."
        )
    return current if wrong else read


def _tool(value: Any, path: str, errors: Errors) -> FunctionTool | None:
    if not isinstance(value, dict):
        wrong_type(errors, path, "an object", value)
        return None
    one_of("function")(value.get("type", "function"), None, f"{path}.type", errors)
    if "name" not in value:
        missing(errors, f"{path}.name")
        return None
    parameters = value.get("parameters")
    if not isinstance(parameters, dict | None):
        wrong_type(errors, f"{path}.parameters", "an object", parameters)
    return FunctionTool(
        name=name(value["name"], "", f"{path}.name", errors),
        description=keep_null(text)(value.get("description"), "", f"{path}.description", errors),
        parameters=parameters if isinstance(parameters, dict) else {},
    )


def tool_choice(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if not isinstance(value, dict):
        return one_of("auto", "none", "required")(value, current, path, errors)
    found = len(errors)
    one_of("function")(value.get("type", "function"), None, f"{path}.type", errors)
    if "name" not in value:
        missing(errors, f"{path}.name")
        return current
    chosen = name(value["name"], None, f"{path}.name", errors)
    return current if len(errors) > found else FunctionChoice(chosen)


def _speaker(value: Any, current: Any, path: str, errors: Errors) -> Any:
    """Voices number their speakers, so a number is a name too."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**6:
        return str(value)
    return text(value, current, path, errors)


_EXTENSIONS = {
    "temperature": nullable(number(0, 2)),
    "top_p": nullable(number(0, 1)),
    "language": nullable(_language),
    "speaker_id": nullable(_speaker),
    "noise_scale": nullable(number(0, 2)),
    "noise_scale_w": nullable(number(0, 2)),
    "length_scale": nullable(number(0.1, 10)),
    "vad_engine": nullable(one_of("webrtc", "silero")),
    "vad_aggressiveness": nullable(integer(0, 3)),
    "candidate_pause_ms": nullable(integer(0, 10_000)),
    "interrupt_min_speech_ms": nullable(integer(0, 10_000)),
    "interrupt_min_words": nullable(integer(0, 20)),
    "turn_metrics": keep_null(boolean),
    "partial_transcripts": keep_null(boolean),
    "container": keep_null(one_of("raw", "wav")),
}


def _extensions(value: Any, current: Extensions, path: str, errors: Errors) -> Extensions:
    """Members of our own: a name that is not known can only be a mistake."""
    if isinstance(value, dict):
        for member in [member for member in value if member not in _EXTENSIONS]:
            param = f"{path}.{member[:64]}"
            errors.append(FieldError(param, "unknown_parameter", f"Unknown parameter: '{param}'."))
    return members(current, value, _EXTENSIONS, path, errors)


def _type(value: Any, current: Any, path: str, errors: Errors) -> Any:
    kinds = ("realtime", "transcription")
    if value != current and value in kinds:
        message = f"A {current} session cannot become a {value} session."
        errors.append(FieldError(path, "invalid_parameter", message))
    else:
        one_of(*kinds)(value, current, path, errors)
    return current


_SESSION = {
    "type": keep_null(_type),
    "output_modalities": keep_null(output_modalities),
    "instructions": keep_null(text),
    "tools": keep_null(tools),
    "tool_choice": keep_null(tool_choice),
    "max_output_tokens": keep_null(max_output_tokens),
    "parallel_tool_calls": keep_null(boolean),
    "tracing": nullable(tracing),
    "truncation": keep_null(truncation),
    "prompt": nullable(prompt),
    "include": nullable(include),
    "dialtone": keep_null(_extensions),
}
