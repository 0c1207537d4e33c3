"""faster-whisper in this worker: the model that ASR_MODEL names, behind the pool that all calls share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from typing import ClassVar

from dialtone.vad_asr.asr.abilities import Abilities
from dialtone.vad_asr.asr.backend import PassageListener, Question, refuse_unheard_of
from dialtone.vad_asr.asr.languages import whisper_code
from dialtone.vad_asr.asr.pool import InferencePool
from dialtone.vad_asr.asr.recognition import Recognition
from dialtone.vendors.failures import UpstreamFailure


class WhisperBackend:
    """The pool as a backend."""

    name: ClassVar = "whisper"
    abilities: ClassVar = Abilities(
        where="this machine, CPU or GPU",
        live=False,
        ends_turns=False,
        words_as_they_come=False,
        languages="99; `ASR_LANGUAGES` are detected",
        detects_language="yes",
        prompt="taken",
        key="",
        models="`whisper`, the name in `ASR_MODEL`",
    )

    def __init__(self, pool: InferencePool, languages: Collection[str]) -> None:
        """`languages` are Whisper's codes of those that the model knows."""
        self._pool = pool
        self._languages = languages

    @property
    def idle(self) -> bool:
        return self._pool.idle

    def listen(self) -> PassageListener:
        return PassageListener(self.hear)

    async def hear(self, question: Question) -> AsyncGenerator[Recognition, None]:
        """Wait for the pool. See `Listener.hear`."""
        refuse_unheard_of(question.passage)
        language = whisper_code(question.passage.language)
        if language and language not in self._languages:
            raise UpstreamFailure("unsupported_language", f"does not know {language[:16]!r}")
        job = self._pool.submit(question.passage, question.urgency)
        question.when_promoted(lambda: self._pool.promote(job))
        try:
            yield await job.answer
        finally:
            self._pool.cancel(job)

    async def close(self) -> None:
        """Nothing to do: the pool is whose it was."""
