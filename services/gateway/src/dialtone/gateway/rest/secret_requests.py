"""What a request for an ephemeral secret says, beside the session's own fields."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import msgspec

from dialtone.gateway.core.field_rules import (
    Errors,
    FieldError,
    integer,
    keep_null,
    members,
    name,
    one_of,
    section,
    text,
    wrong_type,
    wrong_value,
)
from dialtone.gateway.core.locks import LOCKABLE
from dialtone.gateway.core.moshi_limits import blank_session
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.stores.client_secrets import LONGEST_S

SHORTEST_S = 10
DEFAULT_S, BETA_DEFAULT_S = 600, 60


class Wanted(msgspec.Struct, frozen=True):
    """A request of the GA protocol; `session` is as the client wrote it, null where it named none."""

    seconds: int
    session: Any = None
    session_id: str | None = None
    locked: tuple[str, ...] = ()


class _Lifetime(msgspec.Struct, frozen=True):
    seconds: int
    anchor: str = "created_at"


class _Binding(msgspec.Struct, frozen=True):
    session_id: str | None = None
    locked: tuple[str, ...] = ()


def _locked(value: Any, current: Any, path: str, errors: Errors) -> Any:
    """Names of session fields. A wrong one is an error: what it was to keep would not be kept."""
    if not isinstance(value, list):
        wrong_type(errors, path, "an array", value)
        return current
    if len(value) > len(LOCKABLE):
        wrong_value(errors, path, f"expected at most {len(LOCKABLE)} names.")
        return current
    for index, field in enumerate(value):
        if not isinstance(field, str):
            wrong_type(errors, f"{path}[{index}]", "a string", field)
        elif field not in LOCKABLE:
            wrong_value(errors, f"{path}[{index}]", f"a session has no field {field[:64]!r}.")
    return tuple(value) if not errors else current


_LIFETIME = {
    "anchor": keep_null(one_of("created_at")),
    "seconds": keep_null(integer(SHORTEST_S, LONGEST_S)),
}
_BINDING = {"session_id": keep_null(text), "locked": keep_null(_locked)}


def client_secret(body: dict[str, Any], errors: Errors) -> Wanted:
    """The members of a GA request. One that does not exist is an error: it would be missed for good."""
    _only(("expires_after", "session", "dialtone"), body, "", errors)
    seconds = _lifetime(body.get("expires_after"), "expires_after", DEFAULT_S, errors)
    _only(_BINDING, body.get("dialtone"), "dialtone.", errors)
    binding = keep_null(section(_BINDING))(body.get("dialtone"), _Binding(), "dialtone", errors)
    session = body.get("session")
    if session is not None and binding.session_id is not None:
        message = "A secret for a session that exists takes its configuration from there."
        errors.append(FieldError("session", "invalid_parameter", message))
    return Wanted(seconds, session, binding.session_id, binding.locked)


def _only(known: Collection[str], value: Any, path: str, errors: Errors) -> None:
    """Each member of an object is to be one of these."""
    for member in [member for member in value if member not in known] if isinstance(value, dict) else ():
        param = f"{path}{member[:64]}"
        errors.append(FieldError(param, "unknown_parameter", f"Unknown parameter: '{param}'."))


def beta_lifetime(body: dict[str, Any], errors: Errors) -> int:
    """Seconds that a secret of the beta protocol lives; its two endpoints name the member differently."""
    options = body.get("client_secret")
    if options is None:
        return BETA_DEFAULT_S
    if not isinstance(options, dict):
        wrong_type(errors, "client_secret", "an object", options)
        return BETA_DEFAULT_S
    member = "expires_at" if "expires_at" in options else "expires_after"
    return _lifetime(options.get(member), f"client_secret.{member}", BETA_DEFAULT_S, errors)


def session_type(session: dict[str, Any], errors: Errors) -> Literal["realtime", "transcription"]:
    """The type of the session; it may be left out, as in `session.update`."""
    kind = session.get("type")
    found = keep_null(one_of("realtime", "transcription"))(kind, "realtime", "session.type", errors)
    return "transcription" if found == "transcription" else "realtime"


def with_model(config: SessionConfig, body: dict[str, Any], errors: Errors, *, path: str) -> SessionConfig:
    """The configuration with the model that the body names, before anything else is set; a socket names it in
    its address instead."""
    model = keep_null(name)(body.get("model"), config.model, path, errors)
    named = msgspec.structs.replace(config, model=model)
    return named if named.moshi is None else blank_session(model, "")


def _lifetime(value: Any, path: str, default_s: int, errors: Errors) -> int:
    blank = _Lifetime(default_s)
    return blank.seconds if value is None else members(blank, value, _LIFETIME, path, errors).seconds


def _body_schema(properties: dict[str, Any], description: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "description": description}
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


_LIFETIME_SCHEMA = {
    "type": "object",
    "properties": {
        "anchor": {"type": "string", "enum": ["created_at"]},
        "seconds": {"type": "integer", "minimum": SHORTEST_S, "maximum": LONGEST_S},
    },
}
GA_BODY = _body_schema(
    {
        "expires_after": {
            **_LIFETIME_SCHEMA,
            "description": f"Seconds that it lives; {DEFAULT_S} unless said.",
        },
        "session": {
            "type": "object",
            "description": "The session that calls begin with, as `session.update` takes it, and its `type` "
            "and `model`.",
        },
        "dialtone": {
            "type": "object",
            "properties": {
                "session_id": {
                    "type": "string",
                    "description": "Go on with this session, instead of new ones",
                },
                "locked": {
                    "type": "array",
                    "items": {"type": "string", "enum": sorted(LOCKABLE)},
                    "description": "Session fields that its calls may not change",
                },
            },
        },
    },
    "Everything may be left out.",
)
BETA_BODY = _body_schema(
    {
        "model": {"type": "string"},
        "client_secret": {
            "type": "object",
            "properties": {"expires_after": _LIFETIME_SCHEMA, "expires_at": _LIFETIME_SCHEMA},
            "description": f"Seconds that it lives; {BETA_DEFAULT_S} unless said. Both names are taken.",
        },
    },
    "The fields of the beta protocol's session, all of which may be left out.",
)
