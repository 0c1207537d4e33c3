"""Rules in CEL of a schema (`x-kubernetes-validations`), which an API server would hold objects to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cel

RULES = "x-kubernetes-validations"


def broken_rules(schema: Any, value: Any, path: str = "") -> Iterator[str]:
    """What the rules say of an object that its schema takes. Rules of changes are not looked at."""
    value = _defaulted(schema, value)
    for rule in schema.get(RULES, ()):
        if not cel.evaluate(rule["rule"], {"self": _escaped(value)}):
            yield f"{path}: {rule['message']}"
    match value:
        case dict():
            for name, member in value.items():
                of_member = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
                if isinstance(of_member, dict):
                    yield from broken_rules(of_member, member, f"{path}.{name}" if path else name)
        case list():
            for number, item in enumerate(value):
                yield from broken_rules(schema.get("items", {}), item, f"{path}.{number}")


def _defaulted(schema: Any, value: Any) -> Any:
    """An API server fills defaults in before it looks at rules."""
    match value:
        case dict():
            members = schema.get("properties", {})
            filled = {name: one["default"] for name, one in members.items() if "default" in one} | value
            return {name: _defaulted(members.get(name, {}), member) for name, member in filled.items()}
        case list():
            return [_defaulted(schema.get("items", {}), item) for item in value]
        case _:
            return value


def _escaped(value: Any) -> Any:
    """CEL has reserved words; a rule names members that are called like one with underscores."""
    match value:
        case dict():
            return {"__namespace__" if k == "namespace" else k: _escaped(v) for k, v in value.items()}
        case list():
            return [_escaped(item) for item in value]
        case _:
            return value
