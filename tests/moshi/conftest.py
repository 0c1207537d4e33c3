"""Checkpoints for these tests, made once, and kept as long as what makes them is the same.

Where torch is not there, which is the default install, nothing here is collected but test_environment.py,
which says so by its name.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from pathlib import Path

import pytest

HAS_TORCH = importlib.util.find_spec("torch") is not None
collect_ignore_glob = [] if HAS_TORCH else ["test_[!e]*.py", "test_engine*.py"]

_KEPT = Path(__file__).resolve().parents[2] / "build" / "moshi"


def made(size: str) -> Path:
    """The folder of the random checkpoint of that size."""
    from tests.moshi import tiny_checkpoint

    source = Path(tiny_checkpoint.__file__).read_bytes()
    folder = _KEPT / f"{size}-{hashlib.sha256(source).hexdigest()[:12]}"
    if not folder.is_dir():
        part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
        tiny_checkpoint.make(part, size)
        try:
            part.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(part)
    return folder


@pytest.fixture(scope="session")
def tiny() -> Path:
    """A checkpoint with 8 codebooks a side and two layers everywhere."""
    return made("tiny")


@pytest.fixture(scope="session")
def nano() -> Path:
    """A checkpoint with 4 codebooks a side and one layer everywhere; a third of `tiny`'s work."""
    return made("nano")
