"""Piper voices: espeak-ng phonemes, a VITS model, audio while the sentence is still being computed."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import numpy as np
from piper import PiperVoice
from piper.config import PiperConfig

from dialtone.audio import Float32
from dialtone.tts.engines.base import SpeechFailed, Style, UnknownSpeaker
from dialtone.tts.engines.vits import Latent, Scales, UndividedModel, VitsModel, load_model
from dialtone.tts.pool import SynthesisPool

# A run of text is computed by the encoder at once, in time and memory that grow with it. Longer runs are cut
# where the voice pauses anyway, else between words.
_LONGEST_RUN = 250  # phonemes: some ten seconds of speech
_CLAUSE_ENDS = frozenset(",;:.!?")


class PiperEngine:
    """One loaded Piper voice."""

    def __init__(
        self, config: PiperConfig, model: VitsModel | UndividedModel, pool: SynthesisPool, gain: float
    ) -> None:
        self._config = config
        self._model = model
        self._pool = pool
        self._gain = np.float32(gain)
        # Only its phonemizer is used, which needs no session.
        self._phonemizer = PiperVoice(session=None, config=config)

    @classmethod
    def load(cls, path: Path, *, threads: int, pool: SynthesisPool, gain: float) -> PiperEngine:
        """Load `path` (the .onnx, its .onnx.json beside it, or the folder that holds both); blocking."""
        onnx_file = path if path.is_file() else _only_model(path)
        raw = json.loads(Path(f"{onnx_file}.json").read_text(encoding="utf-8"))
        return cls(PiperConfig.from_dict(raw), load_model(onnx_file, threads), pool, gain)

    @property
    def sample_rate(self) -> int:
        """Of the voice, in Hz."""
        return self._config.sample_rate

    async def speak(self, text: str, style: Style) -> AsyncGenerator[Float32, None]:
        """Yield windows of 90 ms and more as they are decoded."""
        speaker = self._speaker(style.speaker)
        scales = self._scales(style)
        try:
            for ids in await self._pool.run(self._runs, text):
                seed = zlib.crc32(np.array(ids, dtype=np.int32).tobytes())
                latent: Latent = await self._pool.run(self._model.encode, ids, scales, speaker, seed)
                for window in self._model.windows(latent):
                    yield self._gain * await self._pool.run(self._model.decode, latent, window)
        except RuntimeError as error:  # what onnxruntime's and espeak's bindings raise
            raise SpeechFailed(f"piper: {error}") from error

    async def warm_up(self) -> None:
        """Speak a sentence that fills every window size."""
        async for _ in self.speak("Ready to speak, and this is long enough to use every part once.", Style()):
            pass

    def _runs(self, text: str) -> list[list[int]]:
        sentences = self._phonemizer.phonemize(text)
        runs = (run for phonemes in sentences for run in cut_runs(phonemes, _LONGEST_RUN))
        return [self._phonemizer.phonemes_to_ids(run) for run in runs]

    def _scales(self, style: Style) -> Scales:
        length = self._config.length_scale if style.length_scale is None else style.length_scale
        return Scales(
            noise=self._config.noise_scale if style.noise_scale is None else style.noise_scale,
            length=length / style.speed,
            noise_w=self._config.noise_w_scale if style.noise_scale_w is None else style.noise_scale_w,
        )

    def _speaker(self, speaker: str) -> int | None:
        if self._config.num_speakers <= 1:
            if speaker not in ("", "0"):
                raise UnknownSpeaker(f"the voice has one speaker, not {speaker!r}")
            return None
        if not speaker:
            return self._config.default_speaker_id
        number = self._config.speaker_id_map.get(speaker)
        if number is None and speaker.isdecimal():
            number = int(speaker)
        if number is None or number >= self._config.num_speakers:
            raise UnknownSpeaker(f"the voice has {self._config.num_speakers} speakers, none is {speaker!r}")
        return number


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


def _only_model(folder: Path) -> Path:
    found = sorted(folder.glob("*.onnx"))
    if len(found) != 1:
        raise FileNotFoundError(f"{folder} holds {len(found)} .onnx files, one is expected")
    return found[0]
