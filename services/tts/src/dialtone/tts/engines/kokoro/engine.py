"""Kokoro voices: a phrase at a time, each computed as a whole."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Mapping
from typing import ClassVar

import numpy as np

from dialtone.audio import Float32
from dialtone.fence import ModelProcess
from dialtone.tts.engines.abilities import Abilities
from dialtone.tts.engines.base import Style
from dialtone.tts.engines.kokoro.entry import LANGUAGES, KokoroFiles
from dialtone.tts.engines.kokoro.models import SAMPLE_RATE, KokoroModels
from dialtone.tts.engines.kokoro.phrases import CLAUSE_ENDS, SENTENCE_ENDS
from dialtone.tts.engines.limits import speed_of

_SLOWEST, _FASTEST = 0.5, 2.0  # beyond, it slurs and skips
_SYMBOL_S = 0.07  # of speech, at most
# The model puts half a second of silence around each phrase, however short. What stays of it, in seconds.
_SILENT = 0.003  # -50 dBFS
_BEFORE_S, _AFTER_S = 0.02, 0.05
_PAUSE_S = 0.10
_LOUDEST = 32_767 / 32_768
_SENTENCE_PAUSE_S = 0.25


def kokoro_process(
    files: Mapping[str, KokoroFiles], *, parallel: int = 1, threads: int = 1
) -> ModelProcess[KokoroModels]:
    """Return the process, to be started, that runs these voices: `parallel` phrases at once.

    Sentences in hand take turns, phrase by phrase; a cancelled one leaves at the end of its phrase.
    """
    return ModelProcess("kokoro", functools.partial(KokoroModels, files, threads), threads=parallel)


class KokoroEngine:
    """One voice, by its name in `process`; a second of speech may take `step_timeout_s` to compute."""

    name: ClassVar = "kokoro"
    sample_rate = SAMPLE_RATE
    abilities: ClassVar = Abilities(
        where="this machine, CPU (a fast one) or GPU",
        streams="by phrases",
        languages=f"the voice's one: {', '.join(LANGUAGES)}",
        speeds=f"{_SLOWEST} to {_FASTEST:g}, others are refused",
        longest="`TTS_MAX_CHARACTERS`",
    )

    def __init__(
        self,
        voice: str,
        process: ModelProcess[KokoroModels],
        *,
        gain: float = 1.0,
        step_timeout_s: float = 3.0,
    ) -> None:
        self._voice = voice
        self._process = process
        self._gain = np.float32(gain)
        self._step_s = step_timeout_s

    async def speak(self, text: str, style: Style) -> AsyncGenerator[Float32, None]:
        """Yield phrases as they are computed; of the style, length scale and speed apply.

        Raises UnknownSpeaker, UpstreamFailure for a speed that is not taken, or ModelLost.
        """
        speed = speed_of(style, _SLOWEST, _FASTEST)
        run, voice = self._process.run, self._voice
        for phrase in await run(self._step_s, KokoroModels.phrases, voice, text):
            within_s = self._step_s * max(len(phrase) * _SYMBOL_S / speed, 1.0)
            samples = await run(within_s, KokoroModels.speak, voice, phrase, speed)
            yield np.clip(self._gain * joined(samples, phrase, speed), -1.0, _LOUDEST)

    async def warm_up(self) -> None:
        """Speak a phrase: the first run of a session allocates."""
        async for _ in self.speak("1", Style()):
            pass


def joined(samples: Float32, phrase: str, speed: float) -> Float32:
    """Return float32 [n] with as much silence around it as between phrases of one sentence."""
    loud = np.flatnonzero(np.abs(samples) > _SILENT)
    if not len(loud):
        return samples[:0]
    start = max(int(loud[0]) - round(_BEFORE_S * SAMPLE_RATE), 0)
    sounding = samples[start : int(loud[-1]) + round(_AFTER_S * SAMPLE_RATE)]
    pause_s = (
        _SENTENCE_PAUSE_S if phrase[-1] in SENTENCE_ENDS else _PAUSE_S if phrase[-1] in CLAUSE_ENDS else 0.0
    )
    return np.concatenate((sounding, np.zeros(round(pause_s / speed * SAMPLE_RATE), dtype=np.float32)))
