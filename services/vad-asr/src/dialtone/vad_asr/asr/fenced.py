"""Whisper in a process of its own: what it crashes on, or hangs in, costs no other call's words.

Only that process has the model's libraries, and its memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from dialtone.fence import ModelProcess
from dialtone.models import locate
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, Passage, Recognition, Recognizer
from dialtone.vad_asr.settings import EarsSettings

_HOPELESS = 0.5  # seconds for each of audio: a recogniser that is slower is of use to nobody


class FencedRecognizer:
    """Recognises in `model`. A batch hangs that takes `timeout_s`, and as long again as is hopeless."""

    def __init__(self, model: ModelProcess[Recognizer], timeout_s: float) -> None:
        self._model = model
        self._timeout_s = timeout_s

    async def recognize(self, passages: Sequence[Passage]) -> list[Recognition]:
        """Raises what the model raises, and ModelLost."""
        audio_s = max(passage.seconds for passage in passages) * len(passages)
        return await self._model.run(self._timeout_s + _HOPELESS * audio_s, _recognize, passages)


def whisper_process(settings: EarsSettings) -> ModelProcess[Recognizer]:
    """The process that these settings ask for, not started. Raises ModelMissing."""
    path = locate(settings.asr_model, settings.models_dir)
    return ModelProcess("whisper", partial(_load, path, settings), threads=settings.asr_workers)


# --- what runs over there


def _load(path: Path, settings: EarsSettings) -> Recognizer:
    # Its libraries are for the process that it works in alone.
    from dialtone.vad_asr.asr.whisper import ShortWindowWhisper

    whisper = ShortWindowWhisper(
        path,
        languages=settings.languages,
        device=settings.asr_device,
        compute_type=settings.asr_compute_type,
        threads=settings.asr_threads,
        workers=settings.asr_workers,
        beam_size=settings.asr_beam,
    )
    warm_up(whisper)
    return whisper


def warm_up(recognizer: Recognizer) -> None:
    """Run the model once: the first inference allocates, and takes several times as long."""
    hum = (np.sin(np.arange(2 * SAMPLE_RATE) * 0.05) * 3_000).astype(np.int16)
    recognizer.recognize([Passage(hum, voiced_us=2_000_000)])


def _recognize(recognizer: Recognizer, passages: Sequence[Passage]) -> list[Recognition]:
    return recognizer.recognize(passages)


def about(recognizer: Recognizer) -> tuple[str, frozenset[str]]:
    """A step: where the model computes, and the languages that it knows."""
    return recognizer.device, recognizer.languages
