"""A process that is told nonsense says which variable is wrong, and repeats no value: it may be a secret."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        ("dialtone.gateway", "HTTP_PORT", "tcp8000"),
        ("dialtone.gateway", "API_KEYS", "tenant:hunter2"),
        ("dialtone.vad_asr", "VAD_ENGINE", "ears8000"),
        ("dialtone.llm", "LLM_THREADS", "hunter2"),
        ("dialtone.tts", "TTS_VOICES", '{"hunter2":'),
        ("dialtone.tts", "TTS_VOICES", '{"amy": {"model": "hunter2"}}'),
        ("dialtone.tts", "TTS_PARALLEL", "hunter2"),
    ],
)
def test_a_wrong_variable_is_named(module: str, name: str, value: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", module],
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith(name)
    assert ended.stderr.count("\n") == 1
    assert value not in ended.stderr
