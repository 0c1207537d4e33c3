"""A model given by its file or by the folder that holds it."""

from __future__ import annotations

from pathlib import Path


def onnx_file(path: Path) -> Path:
    """Return the .onnx, given as such or by the folder that holds it. Raises FileNotFoundError."""
    if path.is_file():
        return path
    found = sorted(path.glob("*.onnx"))
    if len(found) != 1:
        raise FileNotFoundError(f"{path} holds {len(found)} .onnx files, one is expected")
    return found[0]
