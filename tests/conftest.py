"""Loads every fixture module of tests/fixtures, so that a new one needs no registration."""

from pathlib import Path

import pytest

# They import each other, and one that is imported before it is loaded here would keep plain asserts.
pytest.register_assert_rewrite("tests.fixtures")

pytest_plugins = [
    f"tests.fixtures.{path.stem}"
    for path in sorted((Path(__file__).parent / "fixtures").glob("*.py"))
    if path.stem != "__init__"
]
