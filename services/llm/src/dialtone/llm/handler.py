"""The work of this stage: one turn of a conversation."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from dialtone.bus import HandBack, Lease
from dialtone.fence import ModelGone
from dialtone.llm import metrics
from dialtone.llm.chat_spans import chat_span, tell_answerer, tell_usage
from dialtone.llm.listed import Listed, answered
from dialtone.llm.registry import ModelRegistry
from dialtone.telemetry import get_logger
from dialtone.v1.turn_pb2 import TextDelta, ToolCallDelta
from dialtone.vendors.failures import UpstreamFailure

log = get_logger(__name__)


class TurnHandler:
    """Answers LlmTurn work with the model that its session names."""

    def __init__(self, models: ModelRegistry) -> None:
        self._models = models

    async def __call__(self, lease: Lease) -> None:
        """Send the answer as it comes, then TurnDone. Cancelled, the model stops too."""
        start = asyncio.get_running_loop().time()
        listed = self._models.choose(lease.work.turn.model)
        try:
            with chat_span(lease, listed[0]):
                await self._answer(lease, listed, start)
        except ModelGone as error:
            raise HandBack(str(error)) from error
        except UpstreamFailure as failure:
            failure.retryable = (
                failure.retryable and lease.attempt - lease.work.attempt_base < failure.attempts
            )
            raise

    async def _answer(self, lease: Lease, listed: Sequence[Listed], start: float) -> None:
        loop = asyncio.get_running_loop()
        first_token_us = 0
        answering: Listed | None = None
        answer = answered(listed, lease.work.turn, lease.grant.turn.delivered_text)
        async with aclosing(answer) as events:
            async for one, event in events:
                backend = one.backend
                if isinstance(event, TextDelta | ToolCallDelta):
                    if not first_token_us:
                        first_token_us = _us(loop.time() - start)
                        metrics.FIRST_TOKEN_SECONDS.labels(backend.name).observe(first_token_us / 1e6)
                    if one is not answering:
                        answering = one
                        tell_answerer(one)
                    if isinstance(event, TextDelta):
                        await lease.send(text=event)
                    else:
                        await lease.send(tool_call=event)
                    continue
                event.first_token_us = first_token_us
                event.compute_us = _us(loop.time() - start)
                usage = event.usage
                for kind, count in (("input", usage.input_tokens), ("cached", usage.cached_tokens)):
                    metrics.TOKENS.labels(backend.name, kind).inc(count)
                metrics.TOKENS.labels(backend.name, "output").inc(usage.output_tokens)
                log.info(
                    "turn done",
                    backend=backend.name,
                    attempt=lease.attempt,
                    first_token_ms=first_token_us // 1000,
                    compute_ms=event.compute_us // 1000,
                    input_tokens=usage.input_tokens,
                    cached_tokens=usage.cached_tokens,
                    output_tokens=usage.output_tokens,
                )
                tell_usage(event)
                await lease.send(turn_done=event)


def _us(seconds: float) -> int:
    return max(1, round(seconds * 1e6))
