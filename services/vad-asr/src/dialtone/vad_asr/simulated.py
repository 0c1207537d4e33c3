"""The recogniser of the simulated stages: a fixed time, a numbered text, no model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dialtone.vad_asr.asr.pool import Urgency
from dialtone.vad_asr.asr.recognition import Passage, Recognition
from dialtone.vad_asr.transcriber import SoFar, Transcription

ANSWER_SECONDS = 0.1


class SimulatedTranscriber:
    """Answers 100 ms after the turn's end was decided, never ahead of it."""

    early = False
    live = False
    ends_turns = False
    idle = False

    def __init__(self) -> None:
        self._turns = 0

    def use(self, model: str) -> None:
        """Whatever is asked for, nothing is recognised."""

    async def close(self) -> None:
        """Nothing is held."""

    def begin(
        self, passages: Sequence[Passage], urgency: Urgency, so_far: SoFar | None = None
    ) -> Transcription:
        del urgency, so_far  # everything takes the same time, and comes at once
        if not passages:
            return _SimulatedTranscription("")
        self._turns += 1
        return _SimulatedTranscription(f"simulated question {self._turns}")


class _SimulatedTranscription:
    def __init__(self, text: str) -> None:
        self._text = text
        self._due = asyncio.get_running_loop().time() + ANSWER_SECONDS

    @property
    def done(self) -> bool:
        return asyncio.get_running_loop().time() >= self._due

    @property
    def failed(self) -> bool:
        return False

    async def result(self) -> Recognition:
        await asyncio.sleep(self._due - asyncio.get_running_loop().time())
        return Recognition(self._text, "en" if self._text else "", round(ANSWER_SECONDS * 1e6))

    def promote(self) -> None:
        """It is final from the start."""

    def cancel(self) -> None:
        """Nothing runs that could be ended."""
