"""Nothing that the services load reports anything to its makers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def _traces(home: Path, module: str) -> list[str]:
    """What importing a module leaves in a home of its own: a report's device id and queue, for one."""
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    subprocess.run([sys.executable, "-c", f"import {module}"], env=environment, timeout=60, check=True)
    return [path.name for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize("module", ["dialtone.vad_asr.service", "dialtone.tts.engines.vits"])
def test_a_service_that_loads_the_runtime_of_models_leaves_no_trace_of_a_report(
    tmp_path: Path, module: str
) -> None:
    assert _traces(tmp_path / "home", module) == []


def test_the_runtime_of_models_would_report() -> None:
    """Otherwise the setting above is in vain, and so is the test of it."""
    import onnxruntime

    library = Path(onnxruntime.__file__).parent / "capi"
    assert any(b"ORT_DISABLE_TELEMETRY" in path.read_bytes() for path in library.glob("*pybind11_state*.so"))
