"""The questions of the benches, in the project's own voice: the same samples every time, on every machine.

The voice is run as a program of its own (`python -m piper`), as the call client does.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dialtone.models import locate

VOICE_MODEL = "piper-en-joe"
TEXTS = (
    "What is the capital of France?",
    "And what is the capital of Italy?",
    "How much is seven plus five?",
    "Can you tell me a short fact about the moon?",
    "How many days are there in a week?",
    "Who wrote Romeo and Juliet?",
)
_TIMEOUT_S = 120.0


def spoken_questions(folder: Path, texts: Sequence[str] = TEXTS) -> list[Path]:
    """Return a WAV file for each text, made when it is not in `folder` yet (blocking).

    Raises ModelMissing without the voice, CalledProcessError when it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_spoken(text, folder) for text in texts]


def _spoken(text: str, folder: Path) -> Path:
    path = folder / f"{re.sub(r'[^a-z]+', '-', text.lower()).strip('-')}.wav"
    if not path.exists():
        partial = path.with_suffix(".part")
        model = locate(VOICE_MODEL) / "en_US-joe-medium.onnx"
        command = [sys.executable, "-m", "piper", "-m", str(model), "-f", str(partial)]
        subprocess.run(
            [*command, "--noise-scale", "0", "--noise-w-scale", "0"],
            input=text.encode(),
            check=True,
            capture_output=True,
            timeout=_TIMEOUT_S,
        )
        partial.replace(path)
    return path
