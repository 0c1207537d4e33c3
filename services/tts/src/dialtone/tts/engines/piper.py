"""Piper voices: espeak-ng phonemes, a VITS model, audio while the sentence is still being computed."""

from __future__ import annotations

import functools
import zlib
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from dialtone.audio import Float32
from dialtone.fence import ModelProcess
from dialtone.tts.engines.abilities import Abilities
from dialtone.tts.engines.base import Style, UnknownSpeaker
from dialtone.tts.engines.piper_models import PiperModels, read_config
from dialtone.tts.engines.vits import Scales, around


def piper_process(
    files: Mapping[str, Path], *, parallel: int = 1, threads: int = 1
) -> ModelProcess[PiperModels]:
    """Return the process, to be started, that runs these voices: `parallel` steps at once.

    A sentence is many steps, so sentences in hand take turns, first come first served, and a cancelled one
    leaves within a step. The queue is as long as there are sentences in hand: each waits for one step.
    """
    return ModelProcess("piper", functools.partial(PiperModels, files, threads), threads=parallel)


class PiperEngine:
    """One Piper voice, by its name in `process`; no step of it may take longer than `step_timeout_s`."""

    name: ClassVar = "piper"
    abilities: ClassVar = Abilities(
        where="this machine, CPU",
        streams="yes",
        languages="the voice's one",
        speeds="0.01 to 100",
        longest="`TTS_MAX_CHARACTERS`",
    )

    def __init__(
        self,
        name: str,
        file: Path,
        process: ModelProcess[PiperModels],
        *,
        gain: float = 1.0,
        step_timeout_s: float = 3.0,
    ) -> None:
        self._name = name
        self._config = read_config(file)
        self._process = process
        self._gain = np.float32(gain)
        self._step_s = step_timeout_s

    @property
    def sample_rate(self) -> int:
        """Of the voice, in Hz."""
        return self._config.sample_rate

    async def speak(self, text: str, style: Style) -> AsyncGenerator[Float32, None]:
        """Yield windows of 90 ms and more as they are decoded."""
        speaker = self._speaker(style.speaker)
        scales = self._scales(style)
        run, name, step_s = self._process.run, self._name, self._step_s
        for ids in await run(step_s, PiperModels.runs, name, text):
            seed = zlib.crc32(np.array(ids, dtype=np.int32).tobytes())
            encoding_s = step_s * max(scales.length, 1.0)  # it makes as many frames more
            latent, windows = await run(encoding_s, PiperModels.encode, name, ids, scales, speaker, seed)
            for window in windows:
                yield self._gain * await run(step_s, PiperModels.decode, name, *around(latent, window))

    async def warm_up(self) -> None:
        """Speak a sentence that fills every window size."""
        async for _ in self.speak("Ready to speak, and this is long enough to use every part once.", Style()):
            pass

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
