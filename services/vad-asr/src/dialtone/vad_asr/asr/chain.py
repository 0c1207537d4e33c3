"""Asks one recogniser, and where that cannot answer, the next of its list."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from dialtone.bus import HandBack
from dialtone.telemetry import get_logger, shown_from_zero
from dialtone.vad_asr import metrics
from dialtone.vad_asr.asr.backend import AsrBackend, Listener, Question
from dialtone.vad_asr.asr.entry import AsrEntry
from dialtone.vad_asr.asr.pool import PoolOverloaded, RecognitionFailed, RecognitionLost
from dialtone.vad_asr.asr.recognition import Recognition
from dialtone.vendors.breaker import Breaker
from dialtone.vendors.failures import UpstreamFailure

log = get_logger(__name__)

_JITTER_S = (0.05, 0.25)  # so that turns that were refused together do not come back together
_FIELDS = {
    "invalid_api_key": "api_key",
    "model_not_found": "model",
    "unsupported_language": "language",
    "invalid_audio": "audio",
    "content_filter": "audio",
    "bad_upstream": "base_url",
    "upstream_unreachable": "base_url",
}
# Another try will not help, here or a moment later.
_REFUSALS = {
    "bad_upstream", "content_filter", "insufficient_quota", "invalid_api_key", "invalid_audio",
    "invalid_request", "model_not_found", "unsupported_language",
}  # fmt: skip


class Served:
    """An entry of the registry with its backend, and the breaker of its server."""

    def __init__(self, entry: AsrEntry, backend: AsrBackend) -> None:
        self.entry = entry
        self.backend = backend
        self.breaker = Breaker(backend.name, entry.limits, metrics.OPEN_BREAKERS)
        shown_from_zero(metrics.ANSWERS, backend.name)
        shown_from_zero(metrics.PASSED_OVER, backend.name)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is asked, by the name of the model that its server knows."""

    served: Served
    model: str


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
    waited = False
    for choice, is_last in [(choice, choice is choices[-1]) for choice in choices]:
        served = choice.served
        name = served.backend.name
        if served.breaker.refuses and not is_last:
            metrics.PASSED_OVER.labels(name).inc()
            continue
        while True:
            try:
                async with aclosing(_ask(choice, ears, question)) as answer:
                    async for recognition in answer:
                        yield replace(recognition, backend=name)
                metrics.ANSWERS.labels(name).inc()
                return
            except UpstreamFailure as failure:
                metrics.FAILURES.labels(name, failure.code).inc()
                level = log.error if failure.code == "invalid_api_key" else log.warning
                level("recogniser failed", backend=name, code=failure.code, reason=failure.message)
                log.debug("what the recogniser's server said", detail=failure.detail)
                if not is_last:
                    break
                if not failure.after_s or waited:
                    raise _told(name, failure) from failure
                waited = True
                await asyncio.sleep(failure.after_s + random.uniform(*_JITTER_S))
            except (PoolOverloaded, RecognitionFailed, HandBack):
                if is_last:
                    raise
                break


async def _ask(choice: Choice, ears: Ears, question: Question) -> AsyncGenerator[Recognition, None]:
    served = choice.served
    language = question.passage.language.partition("-")[0].lower()
    if language and served.entry.languages and language not in served.entry.languages:
        raise UpstreamFailure("unsupported_language", f"does not take {language[:16]!r}")
    question.model = choice.model
    with served.breaker.request():
        async with aclosing(ears.of(served).hear(question)) as answer:
            async for recognition in answer:
                yield recognition
        served.breaker.worked()


def _told(name: str, failure: UpstreamFailure) -> Exception:
    """The failure as callers and clients know it: with the backend, and what of its entry or of the session
    it is about."""
    field = _FIELDS.get(failure.code)
    message = f"{name}: {failure.message}" + (f" ({field})" if field else "")
    kind = RecognitionLost if failure.code in _REFUSALS else RecognitionFailed
    return kind(message, failure.code)
