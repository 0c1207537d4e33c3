"""The default questions, spoken by the project's own voice and kept in the run folder.

The voice is run as a program of its own (`python -m piper`): it is GPL, and this package is not.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from dialtone.local.call.recording import Recording, load_wav
from dialtone.local.call.turn import CallFailed
from dialtone.models import locate

VOICE_MODEL = "piper-en-joe"
QUESTIONS = {
    "en": (
        "Hello! What is the capital city of France?",
        "And what is the capital of Italy?",
        "How much is seven plus five?",
        "Please tell me one short fact about the moon.",
    ),
    "zh": ("你好，请问中国的首都是哪里？", "那么日本的首都呢？", "七加五等于多少？"),
}
_TIMEOUT_S = 120.0


def default_questions(language: str, count: int, folder: Path) -> list[Recording]:
    """Return `count` spoken questions, made when they are not in `folder` yet (blocking).

    Raises CallFailed where there is no voice for the language, ModelMissing without the English one.
    """
    texts = QUESTIONS.get(language)
    if texts is None:
        raise CallFailed(f"no default question in {language!r}: give a recording with WAV=")
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [texts[n % len(texts)] for n in range(count)]
    return [load_wav(_spoken(text, language, folder)) for text in chosen]


def _spoken(text: str, language: str, folder: Path) -> Path:
    command, name = _voice(language)
    path = folder / f"{hashlib.sha256(f'{name} {text}'.encode()).hexdigest()[:16]}.wav"
    if path.exists():
        return path
    partial = path.with_suffix(".part")
    try:
        subprocess.run(
            [part.replace("OUT", str(partial)) for part in command],
            input=text.encode(),
            check=True,
            capture_output=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.CalledProcessError as failure:
        last = failure.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise CallFailed(f"the question could not be spoken: {' '.join(last)}") from failure
    partial.replace(path)
    return path


def _voice(language: str) -> tuple[list[str], str]:
    if language == "en":
        model = locate(VOICE_MODEL) / "en_US-joe-medium.onnx"
        still = ["--noise-scale", "0", "--noise-w-scale", "0"]  # the same samples every time
        return [sys.executable, "-m", "piper", "-m", str(model), "-f", "OUT", *still], VOICE_MODEL
    if espeak := shutil.which("espeak-ng"):
        return [espeak, "-v", "cmn", "-s", "150", "-w", "OUT", "--stdin"], "espeak-ng cmn"
    raise CallFailed(f"no voice speaks {language!r} here (espeak-ng would): give a recording with WAV=")
