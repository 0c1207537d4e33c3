"""What these tests run in. Elsewhere, this one is skipped, and names the others with it."""

import importlib.metadata
import os
import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="tests/moshi needs torch: make test-moshi")

_LLM = Path(__file__).resolve().parents[2] / "services" / "llm"


def test_torch_and_moshi_are_those_of_the_package_and_the_lock() -> None:
    torch = re.search(r'"torch==([^"]+)"', (_LLM / "pyproject.toml").read_text())
    moshi = re.search(r"^moshi==(\S+)", (_LLM / "requirements-moshi.lock").read_text(), re.MULTILINE)
    assert torch
    assert moshi
    assert importlib.metadata.version("torch").partition("+")[0] == torch[1]
    assert importlib.metadata.version("moshi") == moshi[1]


def test_the_package_is_told_not_to_compile() -> None:
    assert os.environ["NO_TORCH_COMPILE"] == "1"
