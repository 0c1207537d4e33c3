"""The names that OpenTelemetry's conventions have for attributes, as its own package lists them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes

_MOVED = "Deprecated: Moved to the [OpenTelemetry GenAI semantic conventions repository]"
"""What is said of all names that are in use, since these conventions have a repository of their own."""


def published() -> frozenset[str]:
    """Names of attributes that are in use: neither replaced nor removed."""
    return frozenset(
        name
        for module in (gen_ai_attributes, error_attributes)
        for name, says in _listed(module)
        if _used(says)
    )


def _used(says: str) -> bool:
    return not says.startswith("Deprecated") or says.startswith(_MOVED)


def _listed(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Each name of a module, and the text that follows it."""
    for line, after in pairwise(ast.parse(inspect.getsource(module)).body):
        match line, after:
            case (
                ast.AnnAssign(value=ast.Constant(value=str(name))),
                ast.Expr(value=ast.Constant(value=str(says))),
            ):
                yield name, says.strip()
