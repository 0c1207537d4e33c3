"""One streamed chat completion over HTTP: the request, its time limits, its retries; chunks out.

Theory of operation. Chunks are yielded as they are decoded. Until one with substance (text or a tool call)
has been yielded, a failure that may pass is tried again; after it never, for the caller has heard the
beginning. However the server ends a stream, the last chunk yielded has a finish reason: "length" stands for
an answer that broke off by the clock or without a word. What is no chunk is counted, logged and skipped; a
stream with no chunk at all is a failure. Leaving the generator closes the connection unless the response
was read to its end.
"""

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import httpx2

from dialtone.llm import chunks, metrics
from dialtone.llm.chunks import Chunk
from dialtone.llm.limits import Limits
from dialtone.llm.refusals import given_up, told_failure
from dialtone.telemetry import get_logger, shown_from_zero
from dialtone.vendors.answer import Answer, asked, to_the_end
from dialtone.vendors.breaker import Breaker
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.lists import JITTER_S
from dialtone.vendors.sse import SseDecoder

log = get_logger(__name__)

_EVENT_STREAM_TYPES = {"text/event-stream", "text/plain", "application/octet-stream", ""}
_TRAILER_S = 0.5  # wait for usage and [DONE] once the finish reason is there

RefusalInBody = Callable[[Chunk], UpstreamFailure | None]


class ChunkStream:
    """Requests to one server. `refusal` finds the errors that it puts inside a 200."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        *,
        backend: str,
        limits: Limits,
        refusal: RefusalInBody,
        secret: str = "",
    ) -> None:
        self._client = client
        self._backend = backend
        self._limits = limits
        self._refusal = refusal
        self._secret = secret
        self.breaker = Breaker(backend, limits, metrics.UPSTREAM)
        """Of the server."""
        shown_from_zero(metrics.RETRIES, backend)

    async def chunks(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        again: bool = True,
        first_token_by: float = math.inf,
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the chunks of one answer, for which without `again` one request alone is sent.

        `first_token_by`: on the loop's clock, where that is sooner than the limit. Raises UpstreamFailure.
        """
        loop = asyncio.get_running_loop()
        start = loop.time()
        first_token_by = min(first_token_by, start + self._limits.first_token_s)
        tries_left = self._limits.retries if again else 0
        while True:
            substance = False
            try:
                with self.breaker.request():
                    async with aclosing(self._once(path, body, start, first_token_by)) as answer:
                        async for chunk in answer:
                            if not substance and chunk.has_substance():
                                substance = True
                                self.breaker.worked()
                            yield chunk
                    self.breaker.worked()
                return
            except UpstreamFailure as failure:
                wait_s = failure.after_s + random.uniform(*JITTER_S)
                late = loop.time() - start + wait_s > self._limits.retry_budget_s + JITTER_S[1]
                if substance or late or not failure.again or not tries_left:
                    raise
                tries_left -= 1
                metrics.RETRIES.labels(self._backend).inc()
                log.info("trying again", backend=self._backend, code=failure.code)
                await asyncio.sleep(wait_s)

    async def _once(
        self, path: str, body: Mapping[str, Any], start: float, first_token_by: float
    ) -> AsyncGenerator[Chunk, None]:
        async with asked(self._client, path, first_token_by, self._refused, json=body) as answer:
            if answer.kind == "application/json":
                yield self._unstreamed(await answer.whole(first_token_by))
                return
            if answer.kind not in _EVENT_STREAM_TYPES:
                raise UpstreamFailure(
                    "bad_upstream", f"answered {answer.kind[:64]} instead of an event stream"
                )
            async with aclosing(self._events(answer, start, first_token_by)) as events:
                async for chunk in events:
                    yield chunk

    async def _events(
        self, answer: Answer, start: float, first_token_by: float
    ) -> AsyncGenerator[Chunk, None]:
        loop = asyncio.get_running_loop()
        sse = SseDecoder()
        cut_at = start + self._limits.total_s
        deadline = min(cut_at, first_token_by)
        valid = bad = 0
        substance = finished = done = ended = False
        while not (done or ended):
            try:
                part = await answer.part(deadline, "stopped in mid-answer" if valid else "no token")
            except UpstreamFailure as trouble:
                if finished:
                    break
                if substance and trouble.code == "timeout" and loop.time() >= cut_at:
                    yield chunks.ending("length")
                    return
                raise
            ended = part is None
            events = sse.flush() if part is None else sse.feed(part)
            for event in events:
                if event.strip() == b"[DONE]":
                    done = True
                    break
                try:
                    decoded = chunks.decode(event)
                except ValueError:
                    bad += 1
                    continue
                for chunk in decoded:
                    if failure := self._failure_in(chunk):
                        raise failure
                    valid += 1
                    substance = substance or chunk.has_substance()
                    finished = finished or chunk.finishes()
                    yield chunk
                deadline = min(cut_at, loop.time() + (_TRAILER_S if finished else self._limits.inter_token_s))
        if bad := bad + sse.overlong:
            metrics.BAD_CHUNKS.labels(self._backend).inc(bad)
            log.warning("chunks skipped", backend=self._backend, skipped=bad, valid=valid)
        if not valid and not done:
            raise UpstreamFailure("bad_upstream", "the stream held no valid chunk")
        if not (finished or done or substance):
            # Ollama ends a stream like this where its model breaks.
            message = "the stream ended before the answer began"
            raise UpstreamFailure("upstream_cut", message, retryable=True, again=True)
        if not finished:
            yield chunks.ending("stop" if done else "length")
        if done and not ended:
            await to_the_end(answer.reading)

    def _unstreamed(self, body: bytes) -> Chunk:
        try:
            chunk = chunks.decode(body)[0]
        except (ValueError, IndexError):
            raise UpstreamFailure("bad_upstream", "answered JSON that is no chat completion") from None
        if failure := self._failure_in(chunk):
            raise failure
        if chunk.choices is None:
            raise UpstreamFailure("bad_upstream", "answered JSON that is no chat completion")
        if (choice := chunk.choice()) and not choice.finish_reason:
            choice.finish_reason = "stop"
        return chunk

    def _failure_in(self, chunk: Chunk) -> UpstreamFailure | None:
        if failure := self._refusal(chunk):
            return failure
        if trouble := chunk.trouble():
            return told_failure(trouble, None, {}, self._secret)
        choice = chunk.choice()
        return given_up(choice.finish_reason) if choice else None

    def _refused(self, response: httpx2.Response, body: bytes) -> UpstreamFailure:
        trouble: dict[str, Any] | str | None = None
        try:
            chunk = chunks.decode(body)[0]
        except (ValueError, IndexError):
            pass  # a proxy's page, or a plain sentence
        else:
            if failure := self._refusal(chunk):
                return failure
            trouble = chunk.trouble()
        if trouble is None:
            # With room for the key: of one that is cut through, the first half would not be blotted out.
            shown = body[: 200 + len(self._secret.encode())]
            trouble = "" if body.lstrip().startswith(b"<") else shown.decode(errors="replace")
        return told_failure(trouble, response.status_code, response.headers, self._secret)
