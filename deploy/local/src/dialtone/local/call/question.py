"""The default questions: in English spoken by the project's own voice, in Chinese recorded.

The voice is run as a program of its own (`python -m piper`): it is GPL, and this package is not. What it
spoke is kept in the run folder. The recordings are of Kokoro's voice `zm_yunxi` (Apache-2.0): not every
machine has a Chinese voice, and of espeak-ng's Whisper base understands one character in three.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

from dialtone.local.call.recording import Recording, load_wav
from dialtone.local.call.turn import CallFailed
from dialtone.models import locate

VOICE_MODEL = "piper-en-joe"
QUESTIONS = (
    "Hello! What is the capital city of France?",
    "And what is the capital of Italy?",
    "How much is seven plus five?",
    "Please tell me one short fact about the moon.",
)
# "Hello, what is the capital of France?", "How much is seven plus five?", "Tell me something about the moon."
RECORDED = ("zh-capital-of-france.wav", "zh-seven-plus-five.wav", "zh-about-the-moon.wav")
CHINESE, ENGLISH = "zh", "en"
_TIMEOUT_S = 120.0


def question_language(language: str) -> str:
    """The language of the default questions for somebody who wants `language`, a code or nothing."""
    return CHINESE if language.partition("-")[0] == CHINESE else ENGLISH


def default_questions(count: int, folder: Path, language: str = ENGLISH) -> list[Recording]:
    """Return `count` spoken questions; English ones are made when they are not in `folder` yet (blocking).

    Raises CallFailed where they cannot be spoken, ModelMissing without the voice.
    """
    if language == CHINESE:
        recordings = Path(__file__).with_name("questions")
        return [load_wav(recordings / RECORDED[n % len(RECORDED)]) for n in range(count)]
    folder.mkdir(parents=True, exist_ok=True)
    return [load_wav(_spoken(QUESTIONS[n % len(QUESTIONS)], folder)) for n in range(count)]


def _spoken(text: str, folder: Path) -> Path:
    path = folder / f"{hashlib.sha256(f'{VOICE_MODEL} {text}'.encode()).hexdigest()[:16]}.wav"
    if path.exists():
        return path
    partial = path.with_suffix(".part")
    model = locate(VOICE_MODEL) / "en_US-joe-medium.onnx"
    still = ["--noise-scale", "0", "--noise-w-scale", "0"]  # the same samples every time
    try:
        subprocess.run(
            [sys.executable, "-m", "piper", "-m", str(model), "-f", str(partial), *still],
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
