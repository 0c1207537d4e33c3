"""Rules for settings that clients of the Realtime protocol send and read back, of little or no effect here.

What is told back has the protocol's form, for clients parse it: a member that the protocol does not have
is left out, one of a wrong type is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .field_rules import (
    MAX_TEXT,
    Errors,
    Rule,
    integer,
    missing,
    name,
    number,
    one_of,
    text,
    wrong_type,
    wrong_value,
)

LOGPROBS = "item.input_audio_transcription.logprobs"
MAX_VARIABLES = 128


def _object(rules: Mapping[str, Rule], *required: str) -> Rule:
    """The members of an object that have a rule, null ones left out; all of them right, or none."""

    def apply(value: Any, current: Any, path: str, errors: Errors) -> Any:
        if not isinstance(value, dict):
            wrong_type(errors, path, "an object", value)
            return current
        found = len(errors)
        for member in required:
            if value.get(member) is None:
                missing(errors, f"{path}.{member}")
        read = {
            member: rule(value[member], None, f"{path}.{member}", errors)
            for member, rule in rules.items()
            if value.get(member) is not None
        }
        return current if len(errors) > found else read

    return apply


def _any_object(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if isinstance(value, dict):
        return value
    wrong_type(errors, path, "an object", value)
    return current


def _or_word(*words: str, rule: Rule) -> Rule:
    """One of these words, or what the rule takes."""

    def apply(value: Any, current: Any, path: str, errors: Errors) -> Any:
        return (rule if isinstance(value, dict) else one_of(*words))(value, current, path, errors)

    return apply


def _variables(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if not isinstance(value, dict):
        wrong_type(errors, path, "an object", value)
    elif len(value) > MAX_VARIABLES or sum(map(len, value)) > MAX_TEXT:
        wrong_value(errors, path, f"expected at most {MAX_VARIABLES} variables.")
    else:
        return {key: _variable(entry, None, f"{path}.{key[:64]}", errors) for key, entry in value.items()}
    return current


_written = _object({"type": one_of("input_text"), "text": text}, "type", "text")


def _variable(value: Any, current: Any, path: str, errors: Errors) -> Any:
    return (_written if isinstance(value, dict) else text)(value, current, path, errors)


def include(value: Any, current: Any, path: str, errors: Errors) -> Any:
    if not isinstance(value, list):
        wrong_type(errors, path, "an array or null", value)
    elif any(entry != LOGPROBS for entry in value):
        wrong_value(errors, path, f"supported values are: '{LOGPROBS}'.")
    else:
        return value[:1]
    return current


tracing = _or_word("auto", rule=_object({"workflow_name": text, "group_id": text, "metadata": _any_object}))
truncation = _or_word(
    "auto",
    "disabled",
    rule=_object(
        {
            "type": one_of("retention_ratio"),
            "retention_ratio": number(0, 1),
            "token_limits": _object({"post_instructions": integer(0, 2**31)}),
        },
        "type",
        "retention_ratio",
    ),
)
prompt = _object({"id": name, "version": text, "variables": _variables}, "id")
