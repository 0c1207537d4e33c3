"""Rules for single values of a client's JSON: each reads one value, or says what is wrong with it.

A rule is called with the value, what stands there now, its dotted path and the list of errors. It
returns the value to use; a wrong one adds an error and leaves what stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

# Text that a client may put into a session, in characters: far beyond any prompt, far below a flood.
MAX_TEXT = 262_144


class FieldError(msgspec.Struct, frozen=True):
    """One wrong value of a request. `code` is a code of the Realtime protocol's errors."""

    param: str
    code: str
    message: str


Errors = list[FieldError]
Rule = Callable[[Any, Any, str, Errors], Any]
S = TypeVar("S", bound=msgspec.Struct)


def json_type(value: object) -> str:
    """What JSON calls the type of a decoded value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list | tuple) else "an object"


def wrong_type(errors: Errors, path: str, expected: str, value: object) -> None:
    message = f"Invalid type for '{path}': expected {expected}, but got {json_type(value)} instead."
    errors.append(FieldError(path, "invalid_type", message))


def wrong_value(errors: Errors, path: str, message: str) -> None:
    errors.append(FieldError(path, "invalid_value", f"Invalid value for '{path}': {message}"))


def missing(errors: Errors, path: str) -> None:
    errors.append(FieldError(path, "missing_required_parameter", f"Missing required parameter: '{path}'."))


def keep_null(rule: Rule) -> Rule:
    """Null means "as it is": many clients write null for what they do not set."""

    def apply(value: Any, current: Any, path: str, errors: Errors) -> Any:
        return current if value is None else rule(value, current, path, errors)

    return apply


def nullable(rule: Rule) -> Rule:
    """Null switches off, or takes back to the default."""

    def apply(value: Any, current: Any, path: str, errors: Errors) -> Any:
        return None if value is None else rule(value, current, path, errors)

    return apply


def text(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if not isinstance(value, str):
        wrong_type(errors, path, "a string", value)
    elif len(value) > MAX_TEXT:
        wrong_value(errors, path, f"longer than {MAX_TEXT} characters.")
    else:
        return value
    return current


def name(value: Any, current: Any, path: str, errors: Errors) -> Any:
    """A short text that is not empty: of a voice, a model, a tool."""
    if not isinstance(value, str):
        wrong_type(errors, path, "a string", value)
    elif not 0 < len(value) <= 256:
        wrong_value(errors, path, "expected 1 to 256 characters.")
    else:
        return value
    return current


def boolean(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if isinstance(value, bool):
        return value
    wrong_type(errors, path, "a boolean", value)
    return current


def number(low: float, high: float) -> Rule:
    def apply(value: Any, current: Any, path: str, errors: Errors) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            wrong_type(errors, path, "a number", value)
        elif not low <= value <= high:  # false for NaN
            wrong_value(errors, path, f"expected a number from {low:g} to {high:g}.")
        else:
            return float(value)
        return current

    return apply


def integer(low: int, high: int) -> Rule:
    def apply(value: Any, current: Any, path: str, errors: Errors) -> Any:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole:
            wrong_type(errors, path, "an integer", value)
        elif not low <= value <= high:
            wrong_value(errors, path, f"expected an integer from {low} to {high}.")
        else:
            return int(value)
        return current

    return apply


def one_of(*allowed: str) -> Rule:
    def apply(value: Any, current: Any, path: str, errors: Errors) -> Any:
        if not isinstance(value, str):
            wrong_type(errors, path, "a string", value)
        elif value not in allowed:
            listed = ", ".join(f"'{option}'" for option in allowed)
            wrong_value(errors, path, f"supported values are: {listed}.")
        else:
            return value
        return current

    return apply


def members(current: S, patch: Any, rules: Mapping[str, Rule], path: str, errors: Errors) -> S:
    """Merge an object into a struct, each member by its rule; members without one are ignored."""
    if not isinstance(patch, dict):
        wrong_type(errors, path, "an object", patch)
        return current
    changes = {
        member: rules[member](value, getattr(current, member), f"{path}.{member}", errors)
        for member, value in patch.items()
        if member in rules
    }
    return msgspec.structs.replace(current, **changes)


def section(rules: Mapping[str, Rule]) -> Rule:
    """An object whose members are merged one by one."""

    def apply(value: Any, current: Any, path: str, errors: Errors) -> Any:
        return members(current, value, rules, path, errors)

    return apply
