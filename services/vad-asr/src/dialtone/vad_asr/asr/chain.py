"""Asks one recogniser, and where that cannot answer, the next of its list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from dialtone.bus import HandBack
from dialtone.telemetry import shown_from_zero
from dialtone.vad_asr import metrics
from dialtone.vad_asr.asr.backend import AsrBackend, Listener, Question
from dialtone.vad_asr.asr.entry import AsrEntry
from dialtone.vad_asr.asr.languages import primary_subtag
from dialtone.vad_asr.asr.plausible import plausible
from dialtone.vad_asr.asr.pool import PoolOverloaded, RecognitionFailed, RecognitionLost, Urgency
from dialtone.vad_asr.asr.recognition import Recognition
from dialtone.vendors.breaker import Breaker
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.lists import first_that_can

# What of a session it is about.
_FIELDS = {"unsupported_language": "language", "invalid_audio": "audio", "content_filter": "audio"}


class Served:
    """An entry of the registry with its backend, and the breaker of its server."""

    def __init__(self, entry: AsrEntry, backend: AsrBackend) -> None:
        self.entry = entry
        self.backend = backend
        self.breaker = Breaker(backend.name, entry.limits, metrics.UPSTREAM)
        shown_from_zero(metrics.ANSWERS, backend.name)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is asked, by the name of the model that its server knows."""

    served: Served
    model: str

    @property
    def breaker(self) -> Breaker:
        return self.served.breaker


class Ears:
    """The ears of one call: one of each backend that it has asked."""

    def __init__(self) -> None:
        self._listeners: dict[Served, Listener] = {}

    def of(self, served: Served) -> Listener:
        if served not in self._listeners:
            self._listeners[served] = served.backend.listen()
        return self._listeners[served]

    async def close(self) -> None:
        listeners, self._listeners = list(self._listeners.values()), {}
        await asyncio.gather(*(listener.close() for listener in listeners))


async def hear(
    choices: Sequence[Choice], ears: Ears, question: Question
) -> AsyncGenerator[Recognition, None]:
    """Yield what the first says that can answer. Whoever answered is named in it.

    Raises PoolOverloaded, RecognitionFailed or HandBack, whatever was the last one's trouble.
    """
    # What was only partial is replaced by what another backend says.
    heard = first_that_can(
        choices,
        lambda choice: _ask(choice, ears, question),
        binds=lambda _: False,
        passing_on=(PoolOverloaded, RecognitionFailed, HandBack),
        told=lambda choice, failure: _told(choice.served.backend.name, failure),
        waits=True,
    )
    async with aclosing(heard) as answer:
        async for choice, recognition in answer:
            name = choice.served.backend.name
            if not recognition.partial and question.urgency is not Urgency.FOLLOWED:
                metrics.ANSWERS.labels(name).inc()
            yield replace(recognition, backend=name)


async def _ask(choice: Choice, ears: Ears, question: Question) -> AsyncGenerator[Recognition, None]:
    served = choice.served
    language = primary_subtag(question.passage.language)
    if language and served.entry.languages and language not in served.entry.languages:
        raise UpstreamFailure("unsupported_language", f"does not take {language[:16]!r}")
    # What is only shown, or followed, is answered after a while whether or not the server said anything.
    works = question.urgency < Urgency.PARTIAL
    if served.breaker.open and not works:
        # It would tell little of the server, and keep a final from trying it.
        raise UpstreamFailure("overloaded", "the server has failed again and again just now")
    question.model = choice.model
    with served.breaker.request():
        async with aclosing(ears.of(served).hear(question)) as answer:
            async for recognition in answer:
                works = works or bool(recognition.text)
                yield plausible(recognition, question.passage)
        if works:
            served.breaker.worked()


def _told(name: str, failure: UpstreamFailure) -> Exception:
    """The failure as those who asked know it."""
    kind = RecognitionFailed if failure.may_pass else RecognitionLost
    return kind(failure.told(name, _FIELDS), failure.code)
