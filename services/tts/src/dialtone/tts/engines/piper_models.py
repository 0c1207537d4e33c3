"""Piper's models, as they live in a process of their own: the steps of a sentence, each without a memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from piper import PiperVoice
from piper.config import PiperConfig

from dialtone.audio import Float32
from dialtone.tts.engines.vits import Latent, Scales, UndividedModel, VitsModel, load_model

# A run of text is computed by the encoder at once, in time and memory that grow with it. Longer runs are cut
# where the voice pauses anyway, else between words.
_LONGEST_RUN = 250  # phonemes: some ten seconds of speech
_CLAUSE_ENDS = frozenset(",;:.!?")


@dataclass(frozen=True, slots=True)
class _Voice:
    model: VitsModel | UndividedModel
    phonemizer: PiperVoice  # espeak-ng's library, inside the binding; it needs no session


class PiperModels:
    """The loaded voices by name. All methods block; they may be called from several threads at once."""

    def __init__(self, files: Mapping[str, Path], threads: int) -> None:
        self._voices = {
            name: _Voice(load_model(file, threads), PiperVoice(session=None, config=read_config(file)))
            for name, file in files.items()
        }

    def runs(self, voice: str, text: str) -> list[list[int]]:
        """Return the phonemes of a text as the model's numbers, in runs that are computed at once."""
        phonemizer = self._voices[voice].phonemizer
        sentences = phonemizer.phonemize(text)
        runs = (run for phonemes in sentences for run in cut_runs(phonemes, _LONGEST_RUN))
        return [phonemizer.phonemes_to_ids(run) for run in runs]

    def encode(
        self, voice: str, ids: Sequence[int], scales: Scales, speaker: int | None, seed: int
    ) -> tuple[Latent, list[range]]:
        """Return the frames of a run, and the windows to decode them by."""
        model = self._voices[voice].model
        latent = model.encode(ids, scales, speaker, seed)
        return latent, list(model.windows(latent))

    def decode(self, voice: str, latent: Latent, window: range) -> Float32:
        """Return the samples of a window, float32 [n]."""
        return self._voices[voice].model.decode(latent, window)


def read_config(file: Path) -> PiperConfig:
    """Read the .onnx.json beside a model."""
    return PiperConfig.from_dict(json.loads(Path(f"{file}.json").read_text(encoding="utf-8")))


def cut_runs(phonemes: list[str], longest: int) -> Iterator[list[str]]:
    """Cut a sentence's phonemes into runs of at most `longest`, at the last clause end, else word end."""
    while len(phonemes) > longest:
        head = phonemes[:longest]
        cut = _last(head, _CLAUSE_ENDS) or _last(head, frozenset(" ")) or longest
        yield phonemes[:cut]
        phonemes = phonemes[cut:]
    if any(not phoneme.isspace() for phoneme in phonemes):
        yield phonemes


def _last(phonemes: list[str], ends: frozenset[str]) -> int:
    """Position after the last of `ends`, 0 if there is none."""
    return next((i + 1 for i in range(len(phonemes) - 1, -1, -1) if phonemes[i] in ends), 0)
