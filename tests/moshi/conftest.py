"""Checkpoints for these tests.

Where torch is not there, which is the default install, nothing here is collected but test_environment.py,
which says so by its name.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

HAS_TORCH = importlib.util.find_spec("torch") is not None
collect_ignore_glob = [] if HAS_TORCH else ["test_[!e]*.py", "test_engine*.py"]


@pytest.fixture(scope="session")
def tiny() -> Path:
    """A checkpoint with 8 codebooks a side and two layers everywhere."""
    from tests.moshi.checkpoints import made

    return made("tiny")


@pytest.fixture(scope="session")
def nano() -> Path:
    """A checkpoint with 4 codebooks a side and one layer everywhere; a third of `tiny`'s work."""
    from tests.moshi.checkpoints import made

    return made("nano")
