"""What an entry of a Kokoro voice may say, and what it is told where its files are not so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from pydantic import ValidationError

from dialtone.tts.engines.kokoro.entry import BadVoice, KokoroVoice, read_files
from dialtone.tts.settings import TtsSettings


def entry(model: Path, voices: Path, fields: Mapping[str, str] = MappingProxyType({})) -> KokoroVoice:
    given = {"model": str(model), "voices": str(voices), "voice": "af_heart", "language": "en"}
    return KokoroVoice.model_validate({"engine": "kokoro", **given, **fields})


def test_voices_come_from_a_folder_or_an_archive(model: Path, voices: Path, tmp_path: Path) -> None:
    from_folder = read_files("heart", entry(model, voices), None)
    archive = tmp_path / "voices-v1.0.bin"
    with archive.open("wb") as target:
        np.savez(target, af_heart=from_folder.style.reshape(-1, 1, 256))
    assert np.array_equal(read_files("heart", entry(model, archive), None).style, from_folder.style)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"voice": "af_nobody"},
            r"tts_voices\.heart\.voice \(kokoro\): .*'af_nobody'; it has af_heart, zf_xiaoxiao",
        ),
        ({"voice": "nobody"}, r"\.voice \(kokoro\)"),
        ({"voice": "../secret"}, r"\.voice \(kokoro\)"),
        ({"model": "nowhere.onnx"}, r"tts_voices\.heart\.model \(kokoro\): nowhere\.onnx is no path"),
        ({"model": "kokoro-v1.0-int8"}, r"make models NAMES=kokoro-v1\.0-int8"),
        ({"voices": "nowhere"}, r"tts_voices\.heart\.voices \(kokoro\): nowhere is no path"),
    ],
)
def test_what_is_not_there_is_told_by_its_field(
    model: Path, voices: Path, tmp_path: Path, fields: dict[str, str], told: str
) -> None:
    with pytest.raises(BadVoice, match=told):
        read_files("heart", entry(model, voices, fields), tmp_path)


def test_what_holds_no_voices_is_told(model: Path, tmp_path: Path) -> None:
    for name, content in (
        ("empty.npz", b""),
        ("text.npz", b"no archive"),
        ("array.npy", b"\x93NUMPY\x01\x00"),
    ):
        wrong = tmp_path / name
        wrong.write_bytes(content)
        with pytest.raises(BadVoice, match=r"\.voices \(kokoro\): .* holds no voices"):
            read_files("heart", entry(model, wrong), None)
    folder = tmp_path / "cut"
    folder.mkdir()
    for content in (b"", b"\x00" * 1_001, np.full(256, np.nan, np.float32).tobytes()):
        (folder / "af_heart.bin").write_bytes(content)
        with pytest.raises(BadVoice, match="no rows of 256 numbers"):
            read_files("heart", entry(model, folder), None)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"language": "ja"}, "language is ja; kokoro speaks en, es, fr, hi, it, pt, zh here"),
        ({"language": "zh"}, "language is zh, but the kokoro voice af_heart speaks en-us"),
        ({"voice": "jf_alpha"}, "speaks ja"),
        ({"device": "tpu"}, "device"),
        ({"sample_rate": "8000"}, "sample_rate"),
    ],
)
def test_a_language_that_the_voice_lacks_is_refused_with_the_settings(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], told: str
) -> None:
    heart = {"engine": "kokoro", "voice": "af_heart", "language": "en", **fields}
    monkeypatch.setenv("TTS_VOICES", json.dumps({"heart": heart}))
    with pytest.raises(ValidationError, match=told):
        TtsSettings()


@pytest.mark.parametrize(
    ("voice", "language", "accent"),
    [
        ("bf_emma", "en", "en-gb"),
        ("af_heart", "en-GB", "en-us"),
        ("mine", "en-GB", "en-gb"),
        ("mine", "pt", "pt"),
        ("zm_yunxi", "zh-CN", "zh"),
    ],
)
def test_the_name_of_a_voice_says_its_accent_else_the_language_does(
    voice: str, language: str, accent: str
) -> None:
    assert KokoroVoice(engine="kokoro", voice=voice, language=language).accent == accent
