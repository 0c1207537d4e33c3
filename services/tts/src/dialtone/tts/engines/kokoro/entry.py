"""A Kokoro voice as the registry of voices describes it, and where its files are."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dialtone.audio import Float32
from dialtone.models import ModelMissing, locate
from dialtone.tts.engines.onnx_file import onnx_file
from dialtone.tts.text.language import primary_subtag

STYLE = 256
"""Numbers in one style vector."""
# The first letter of a voice's name says what it speaks (hexgrad/Kokoro-82M, VOICES.md), here as tags.
_OF_LETTER = {
    "a": "en-us", "b": "en-gb", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja",
    "p": "pt-br", "z": "zh",
}  # fmt: skip
# Of those, what phonemes can be made for. Japanese would need a dictionary of its own.
LANGUAGES = ("en", "es", "fr", "hi", "it", "pt", "zh")


class BadVoice(ValueError):
    """An entry of the registry cannot be spoken with; the message names the field."""


class KokoroVoice(BaseModel):
    """One voice of a Kokoro model (v1.0) that is run here."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    engine: Literal["kokoro"]
    model: str = "kokoro-v1.0-int8"
    """Name in the model manifest, or path of the .onnx or of its folder."""
    voices: str = "kokoro-v1.0-voices"
    """Name in the model manifest, or path: a folder of NAME.bin (float32), or numpy's archive of them
    (voices-v1.0.bin)."""
    voice: str
    """One of these by name, such as `af_heart` or `zf_xiaoxiao`."""
    language: str
    """What it is given to speak: en (en-GB), es, fr, hi, it, pt, zh."""
    gain: float = Field(default=1.0, gt=0, le=8)
    """Factor that brings the voice to full range."""
    device: Literal["cpu", "cuda"] = "cpu"
    """`cuda` needs onnxruntime-gpu in place of onnxruntime."""

    @model_validator(mode="after")
    def _speaks_its_language(self) -> KokoroVoice:
        wanted = primary_subtag(self.language)
        if wanted not in LANGUAGES:
            raise ValueError(f"language is {self.language}; kokoro speaks {', '.join(LANGUAGES)} here")
        own = _tag_of_name(self.voice)
        if own and primary_subtag(own) != wanted:
            raise ValueError(f"language is {self.language}, but the kokoro voice {self.voice} speaks {own}")
        return self

    @property
    def accent(self) -> str:
        """The tag of what is spoken, the kind of English told by the voice's name or else the language."""
        return _tag_of_name(self.voice) or self.language.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class KokoroFiles:
    """A voice and the files that it is made of. Goes to the model's process."""

    model: Path
    device: str
    accent: str
    style: Float32
    """float32 [rows, 256]: row n - 1 is for n symbols."""


def read_files(name: str, voice: KokoroVoice, models_dir: Path | None) -> KokoroFiles:
    """Read the voice `name` of the registry (blocking). Raises BadVoice, which names the field."""
    return KokoroFiles(
        _found(name, "model", voice.model, models_dir),
        voice.device,
        voice.accent,
        _style(name, voice.voice, _found(name, "voices", voice.voices, models_dir)),
    )


def _found(name: str, field: str, value: str, models_dir: Path | None) -> Path:
    try:
        path = locate(value, models_dir)
        return onnx_file(path) if field == "model" else path
    except FileNotFoundError as error:  # and ModelMissing, which is one
        advice = "" if isinstance(error, ModelMissing) else "; a path or a name of the manifest is expected"
        raise BadVoice(f"tts_voices.{name}.{field} (kokoro): {error}{advice}") from error


def _style(name: str, voice: str, path: Path) -> Float32:
    where = f"tts_voices.{name}"
    try:
        raw, there = _from_folder(voice, path) if path.is_dir() else _from_archive(voice, path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadVoice(f"{where}.voices (kokoro): {path} holds no voices ({error})") from error
    if raw is None:
        known = ", ".join(sorted(there)) or "none"
        raise BadVoice(f"{where}.voice (kokoro): {path} has no voice {voice!r}; it has {known}")
    if raw.dtype != np.float32 or not raw.size or raw.size % STYLE or not np.isfinite(raw).all():
        raise BadVoice(f"{where}.voices (kokoro): {voice} of {path} is no rows of {STYLE} numbers")
    return raw.reshape(-1, STYLE)


def _from_folder(voice: str, folder: Path) -> tuple[Float32 | None, list[str]]:
    there = {file.stem: file for file in folder.glob("*.bin")}
    file = there.get(voice)
    if file is None:
        return None, list(there)
    data = file.read_bytes()
    return np.frombuffer(data[: len(data) - len(data) % 4], dtype="<f4").astype(np.float32), list(there)


def _from_archive(voice: str, file: Path) -> tuple[Float32 | None, list[str]]:
    archive = np.load(file, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError("no archive of numpy's")
    with archive:
        return (archive[voice] if voice in archive.files else None), list(archive.files)


def _tag_of_name(voice: str) -> str:
    return _OF_LETTER.get(voice[0], "") if voice[1:3] in ("f_", "m_") else ""
