"""The tables of docs/protocol.md, and the names that the official SDK's types have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"

Row = dict[str, str]


def table(heading: str, *columns: str) -> list[Row]:
    """The rows of the table with these columns under this heading of the document."""
    text = DOCUMENT.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2]
    assert text, f"no heading {heading!r}"
    text = re.split(r"^#{1,4} ", text, flags=re.MULTILINE)[0]
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        if lines and _cells(lines[0])[: len(columns)] == list(columns):
            names = _cells(lines[0])
            return [dict(zip(names, _cells(line), strict=True)) for line in lines[2:]]
    raise AssertionError(f"no table {columns} under {heading!r}")


def names(cell: str) -> list[str]:
    """What stands in code font in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def leaves(model: type[BaseModel]) -> set[str]:
    """The dotted paths of a type's members that have no members of their own."""
    paths = set(_paths(model, ""))
    return {path for path in paths if not any(other.startswith(f"{path}.") for other in paths)}


def all_paths(model: type[BaseModel]) -> set[str]:
    return set(_paths(model, ""))


def _paths(model: type[BaseModel], above: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield above + name
        for below in _models(field.annotation):
            yield from _paths(below, f"{above}{name}.")


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Literal:
        return []
    return [model for part in get_args(annotation) for model in _models(part)]
