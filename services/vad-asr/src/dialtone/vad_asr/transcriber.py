"""Turns into text: what a leg asks for, whatever recognises it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Protocol

from dialtone.vad_asr.asr.backend import Question
from dialtone.vad_asr.asr.chain import Choice, Ears, hear
from dialtone.vad_asr.asr.pool import RecognitionLost, Urgency
from dialtone.vad_asr.asr.recognition import Passage, Recognition, space_of
from dialtone.vad_asr.asr.registry import AsrRegistry, UnknownModel

SoFar = Callable[[Recognition], None]

# Times that a model which stops early is asked about the rest of one passage: it may stop after every
# moment of it, and others wait.
_RESTS_ASKED = 8


def joined(answers: Sequence[Recognition]) -> Recognition:
    """One answer of those to the parts of a turn."""
    language = next((answer.language for answer in answers if answer.text), "")
    text = space_of(language).join(answer.text for answer in answers if answer.text)
    backends = dict.fromkeys(answer.backend for answer in answers if answer.backend)
    compute_us = sum(answer.compute_us for answer in answers)
    over = bool(answers) and answers[-1].turn_over
    return Recognition(text, language, compute_us, backend="+".join(backends), turn_over=over)


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

    @property
    def early(self) -> bool:
        """Whether text may be asked for before the turn is over."""
        ...

    @property
    def live(self) -> bool:
        """Whether the recogniser is to have the audio of a turn while it is spoken: it costs nothing more."""
        ...

    @property
    def ends_turns(self) -> bool:
        """Whether the recogniser is to say where a turn ends. What is FOLLOWED is asked of it alone."""
        ...

    @property
    def idle(self) -> bool: ...

    def use(self, model: str) -> None:
        """What is begun from now on is for the recogniser of that name; empty: the default one."""
        ...

    def begin(
        self, passages: Sequence[Passage], urgency: Urgency, so_far: SoFar | None = None
    ) -> Transcription:
        """`so_far` is called with what is known up to the end of each passage but the last, and of each as
        far as its recogniser shows it before."""
        ...

    async def close(self) -> None:
        """Let go of what the leg held."""
        ...


class BackendTranscriber:
    """Asks the backends of the registry."""

    def __init__(self, registry: AsrRegistry) -> None:
        self._registry = registry
        self._ears = Ears()
        self._unknown = ""
        self._choices: tuple[Choice, ...] = registry.choose("")
        self._asked: set[asyncio.Task[Recognition]] = set()

    def use(self, model: str) -> None:
        try:
            self._choices, self._unknown = self._registry.choose(model), ""
        except UnknownModel:
            self._unknown = model

    @property
    def _first(self) -> Choice:
        """Who would be asked now for what is only shown, or followed: finals try a server that has failed."""
        return next((choice for choice in self._choices if not choice.breaker.open), self._choices[0])

    @property
    def early(self) -> bool:
        return not self._unknown and self._first.served.entry.early

    @property
    def live(self) -> bool:
        return not self._unknown and self._first.served.backend.abilities.live

    @property
    def ends_turns(self) -> bool:
        return not self._unknown and self._first.served.entry.endpointing == "vendor"

    @property
    def idle(self) -> bool:
        return not self._unknown and self._first.served.backend.idle

    def begin(
        self, passages: Sequence[Passage], urgency: Urgency, so_far: SoFar | None = None
    ) -> Transcription:
        choices = (self._first,) if urgency is Urgency.FOLLOWED else self._choices
        begun = _PassageTranscription(choices, self._ears, passages, urgency, so_far, unknown=self._unknown)
        self._asked.add(begun.task)
        begun.task.add_done_callback(self._asked.discard)
        return begun

    async def close(self) -> None:
        # One that goes on would ask, and pay for, what nobody waits for, and take our close for a failure.
        for task in self._asked:
            task.cancel()
        if self._asked:
            await asyncio.wait(self._asked)
        await self._ears.close()


class _PassageTranscription:
    """Has a turn's passages recognised one after another, so that a long turn lets others by."""

    def __init__(
        self,
        choices: Sequence[Choice],
        ears: Ears,
        passages: Sequence[Passage],
        urgency: Urgency,
        so_far: SoFar | None,
        *,
        unknown: str,
    ) -> None:
        self._choices = choices
        self._ears = ears
        self._urgency = urgency
        self._so_far = so_far
        self._unknown = unknown
        self._question: Question | None = None
        self.task = asyncio.create_task(self._run(passages))
        # Cancelled and overtaken ones fail unheard.
        self.task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _run(self, passages: Sequence[Passage]) -> Recognition:
        if passages and self._unknown:
            raise RecognitionLost(
                f"nobody recognises for {self._unknown[:64]!r} (input_audio_transcription.model)",
                "model_not_found",
            )
        answers: list[Recognition] = []
        waiting = deque((passage, _RESTS_ASKED) for passage in passages)
        while waiting:
            if answers and self._so_far is not None:
                self._so_far(joined(answers))
            passage, rests = waiting.popleft()
            answer = await self._ask(passage, answers)
            answers.append(answer)
            if rests and answer.until and (rest := passage.after(answer.until)) is not None:
                waiting.appendleft((rest, rests - 1))
        return joined(answers)

    async def _ask(self, passage: Passage, before: Sequence[Recognition]) -> Recognition:
        self._question = Question(passage, self._urgency)
        answer = Recognition("", passage.language, 0)
        async with aclosing(hear(self._choices, self._ears, self._question)) as heard:
            async for answer in heard:
                if answer.partial and self._so_far is not None:
                    self._so_far(joined([*before, answer]))
        return answer

    @property
    def done(self) -> bool:
        return self.task.done()

    @property
    def failed(self) -> bool:
        if not self.task.done():
            return False
        error = None if self.task.cancelled() else self.task.exception()
        return self.task.cancelled() or not (error is None or isinstance(error, RecognitionLost))

    async def result(self) -> Recognition:
        return await asyncio.shield(self.task)

    def promote(self) -> None:
        self._urgency = Urgency.FINAL
        if self._question is not None:
            self._question.promote()

    def cancel(self) -> None:
        self.task.cancel()
