"""The codes of the errors that a call can tell its client, read from the gateway's source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import dialtone.gateway.core.call
import dialtone.gateway.dialects.realtime

# Where the code stands among the arguments of what makes an error.
_POSITIONS = {"error": 0, "fail": 0, "FieldError": 1, "BadFrame": 1}
_SOURCES = (dialtone.gateway.core.call, dialtone.gateway.dialects.realtime)


def codes_of_errors() -> set[str]:
    """Those that are written out; codes of workers' failures are handed on as they come."""
    found: set[str] = set()
    for module in _SOURCES:
        assert module.__file__
        for path in Path(module.__file__).parent.glob("*.py"):
            if path.stem != "voice_call":
                found |= set(_codes(ast.parse(path.read_text(encoding="utf-8"))))
    assert len(found) > 15, "the source is not written as this reads it"
    return found


def _codes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        position = _POSITIONS.get(called)
        arguments = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        if position is not None and len(node.args) > position:
            arguments.append(node.args[position])
        for argument in arguments:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value
