"""Turns into text: what a leg asks for, whatever recognises it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from dialtone.vad_asr.asr.pool import InferencePool, Job, RecognitionLost, Urgency
from dialtone.vad_asr.asr.recognition import Passage, Recognition

SoFar = Callable[[Recognition], None]

# Times that a model which stops early is asked about the rest of one passage: it may stop after every
# moment of it, and others wait.
_RESTS_ASKED = 8
_WITHOUT_SPACES = frozenset({"zh", "ja", "th", "lo", "my", "yue"})


def joined(answers: Sequence[Recognition]) -> Recognition:
    """One answer of those to the parts of a turn."""
    language = next((answer.language for answer in answers if answer.text), "")
    space = "" if language in _WITHOUT_SPACES else " "
    text = space.join(answer.text for answer in answers if answer.text)
    return Recognition(text, language, sum(answer.compute_us for answer in answers))


class Transcription(Protocol):
    """A turn, or a part of one, on its way to text."""

    @property
    def done(self) -> bool: ...

    @property
    def failed(self) -> bool:
        """It came to nothing, and may be asked for again."""
        ...

    async def result(self) -> Recognition:
        """Raises PoolOverloaded or RecognitionFailed; HandBack where nothing is recognised any more."""
        ...

    def promote(self) -> None:
        """The turn is over: this is its final text, and somebody waits for it."""
        ...

    def cancel(self) -> None:
        """Nobody wants it any more."""
        ...


class Transcriber(Protocol):
    """Makes transcriptions; one per leg."""

    early: bool
    """Whether text may be asked for before the turn is over."""

    @property
    def idle(self) -> bool: ...

    def begin(
        self, passages: Sequence[Passage], urgency: Urgency, so_far: SoFar | None = None
    ) -> Transcription:
        """`so_far` is called with the text up to the end of each passage but the last."""
        ...


class PooledTranscriber:
    """Recognises in the shared pool."""

    early = True

    def __init__(self, pool: InferencePool) -> None:
        self._pool = pool

    @property
    def idle(self) -> bool:
        return self._pool.idle

    def begin(
        self, passages: Sequence[Passage], urgency: Urgency, so_far: SoFar | None = None
    ) -> Transcription:
        return _PooledTranscription(self._pool, passages, urgency, so_far)


class _PooledTranscription:
    """Passes a turn's passages through the pool one after another, so that a long turn lets others by."""

    def __init__(
        self, pool: InferencePool, passages: Sequence[Passage], urgency: Urgency, so_far: SoFar | None
    ) -> None:
        self._pool = pool
        self._urgency = urgency
        self._so_far = so_far
        self._job: Job | None = None
        self._task = asyncio.create_task(self._run(passages))
        # Cancelled and overtaken ones fail unheard.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _run(self, passages: Sequence[Passage]) -> Recognition:
        answers: list[Recognition] = []
        waiting = deque((passage, _RESTS_ASKED) for passage in passages)
        while waiting:
            if answers and self._so_far is not None:
                self._so_far(joined(answers))
            passage, rests = waiting.popleft()
            self._job = self._pool.submit(passage, self._urgency)
            answer = await self._job.answer
            answers.append(answer)
            if rests and answer.until and (rest := passage.after(answer.until)) is not None:
                waiting.appendleft((rest, rests - 1))
        return joined(answers)

    @property
    def done(self) -> bool:
        return self._task.done()

    @property
    def failed(self) -> bool:
        if not self._task.done():
            return False
        error = None if self._task.cancelled() else self._task.exception()
        return self._task.cancelled() or not (error is None or isinstance(error, RecognitionLost))

    async def result(self) -> Recognition:
        return await asyncio.shield(self._task)

    def promote(self) -> None:
        self._urgency = Urgency.FINAL
        if self._job is not None:
            self._pool.promote(self._job)

    def cancel(self) -> None:
        if self._job is not None:
            self._pool.cancel(self._job)
        self._task.cancel()
