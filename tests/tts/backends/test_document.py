"""docs/backends.md: its voices, as an operator would copy them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from dialtone.tts.engines.entry import VendorVoice
from dialtone.tts.engines.kinds import VENDORS
from dialtone.tts.settings import TtsSettings

_DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "backends.md"
_VOICES = re.compile(r"^## Voices$.*?^```toml$(.*?)^```$", re.DOTALL | re.MULTILINE)


async def test_the_voices_of_the_document_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _VOICES.search(_DOCUMENT.read_text(encoding="utf-8"))
    assert found is not None
    settings = TtsSettings(tts_voices=tomllib.loads(found[1]))
    entries = [line for line in settings.tts_voices.values() if isinstance(line, VendorVoice)]
    assert {entry.engine for entry in entries} == VENDORS.keys()
    for entry in entries:
        if entry.api_key_env:
            monkeypatch.setenv(entry.api_key_env, "sk-0123")
            assert entry.key() == "sk-0123"
        await VENDORS[entry.engine](entry).close()


@pytest.mark.parametrize("told", ["", None])
def test_without_voices_the_default_one_speaks(told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if told is not None:
        monkeypatch.setenv("TTS_VOICES", told)
    assert list(TtsSettings().tts_voices) == ["joe"]
