"""The random checkpoints, made once and kept as long as what makes them is the same."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from tests.moshi import tiny_checkpoint

_KEPT = Path(__file__).resolve().parents[2] / "build" / "moshi"


def made(size: str) -> Path:
    """The folder of the random checkpoint of that size."""
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
