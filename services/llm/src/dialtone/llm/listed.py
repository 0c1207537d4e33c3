"""A list of models as one: the first that can, answers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from dialtone.bus import WorkError
from dialtone.fence import ModelGone
from dialtone.llm.answer import Event
from dialtone.llm.backend import ChatBackend
from dialtone.telemetry import get_logger
from dialtone.v1.turn_pb2 import Answerer, LlmTurn, TextDelta, ToolCallDelta
from dialtone.vendors.breaker import Breaker
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.lists import first_that_can

log = get_logger(__name__)

TOGETHER_S = 18.0
"""For the first token of a list, or its next one where an answer broke off: the gateway gives up at 20 s
without a word, and the list would be gone through from its top."""
NOT_THE_LAST_S = 4.0
"""Of these, for one that is not the last."""

# What of a turn it is about.
_FIELDS = {"context_length_exceeded": "conversation", "content_filter": "conversation"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of the list, and what reaches it."""

    backend: ChatBackend
    model: str

    @property
    def breaker(self) -> Breaker | None:
        return self.backend.breaker


async def answered(
    listed: Sequence[Listed], turn: LlmTurn, delivered: str
) -> AsyncGenerator[tuple[Listed, Event], None]:
    """Yield who answers and the answer's events; the first delta of each says who. See `ChatBackend.stream`.

    Those that do not take the turn are left out. The next goes on from the words that there are by then, as
    another attempt would, but not once a tool was called. Raises what the last one failed with, or the one
    that had called.
    """
    now = asyncio.get_running_loop().time
    takers = _takers(listed, turn)
    said = delivered
    ends = now() + TOGETHER_S

    async def ask(one: Listed) -> AsyncGenerator[Event, None]:
        nonlocal said, ends
        told = False
        by = math.inf
        if len(takers) > 1:
            left = next(len(takers) - place for place, other in enumerate(takers) if other is one)
            share_s = (ends - now()) / left
            by = now() + (share_s if left == 1 else min(share_s, NOT_THE_LAST_S))
        # To ask the same server again would cost the time in which the next one answers.
        answer = one.backend.stream(_asked(one, turn), said, again=one is takers[-1], first_token_by=by)
        async with aclosing(answer) as events:
            async for event in events:
                ends = now() + TOGETHER_S
                if not told and isinstance(event, TextDelta | ToolCallDelta):
                    told = True
                    event.by.CopyFrom(Answerer(backend=one.backend.name, model=one.model))
                if isinstance(event, TextDelta):
                    said += event.text
                yield event

    answers = first_that_can(
        takers,
        ask,
        binds=lambda event: not isinstance(event, TextDelta),
        passing_on=(WorkError, ModelGone),  # its template refuses it, say, or its process is gone for good
        told=_told,
        waits=False,  # a request that may be sent again was
    )
    async with aclosing(answers) as events:
        async for one, event in events:
            yield one, event


def _takers(listed: Sequence[Listed], turn: LlmTurn) -> Sequence[Listed]:
    """Those that take the turn. Raises WorkError, that of the last, where nobody does."""
    if len(listed) == 1:
        return listed  # it says itself what it does not take
    takers = []
    refused: WorkError | None = None
    for one in listed:
        try:
            one.backend.check(_asked(one, turn))
            takers.append(one)
        except WorkError as refusal:
            refused = refusal
    if refused is not None:
        if not takers:
            raise refused
        log.info("not all of the list take the turn", takers=len(takers), reason=refused.message)
    return takers


def _asked(one: Listed, turn: LlmTurn) -> LlmTurn:
    asked = LlmTurn()
    asked.CopyFrom(turn)
    asked.model = one.model
    return asked


def _told(one: Listed, failure: UpstreamFailure) -> UpstreamFailure:
    """The failure as callers and clients know it."""
    message = failure.told(one.backend.name, _FIELDS)
    told = UpstreamFailure(failure.code, message, retryable=failure.retryable, detail=failure.detail)
    told.attempts = failure.attempts
    return told
