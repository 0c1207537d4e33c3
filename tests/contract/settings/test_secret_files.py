"""A secret may lie in a file that the environment names, such as a mounted one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialtone.llm.settings import LlmSettings
from dialtone.settings import read_settings, secret_of_environment


def test_a_secret_is_read_from_the_file_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("sk-from-a-file\n")
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert read_settings(LlmSettings).openai_api_key.get_secret_value() == "sk-from-a-file"
    assert secret_of_environment("OPENAI_API_KEY").get_secret_value() == "sk-from-a-file"
    monkeypatch.setenv("OPENAI_API_KEY", "")  # as compose files set what is not given
    assert read_settings(LlmSettings).openai_api_key.get_secret_value() == "sk-from-a-file"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    assert read_settings(LlmSettings).openai_api_key.get_secret_value() == "sk-from-the-environment"


@pytest.mark.parametrize("content", [None, b"\xff\xfehunter2"])
def test_a_file_that_cannot_be_read_is_named_and_not_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    monkeypatch.setenv("MINIMAX_API_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(SystemExit) as ended:
        read_settings(LlmSettings)
    assert "MINIMAX_API_KEY_FILE" in str(ended.value)
    assert "hunter2" not in str(ended.value)
