"""A list of models as one: the first that can, answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from dialtone.bus import WorkError
from dialtone.fence import ModelGone
from dialtone.llm.answer import Event
from dialtone.llm.backend import ChatBackend
from dialtone.v1.turn_pb2 import Answerer, LlmTurn, TextDelta, ToolCallDelta
from dialtone.vendors.breaker import Breaker
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.lists import first_that_can

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

    The next goes on from the words that there are by then, as another attempt would, but not once a tool was
    called. Raises what the last one failed with, or the one that had called.
    """
    said = delivered

    async def ask(one: Listed) -> AsyncGenerator[Event, None]:
        nonlocal said
        asked = LlmTurn()
        asked.CopyFrom(turn)
        asked.model = one.model
        told = False
        # To ask the same server again would cost the time in which the next one answers.
        async with aclosing(one.backend.stream(asked, said, again=one is listed[-1])) as events:
            async for event in events:
                if not told and isinstance(event, TextDelta | ToolCallDelta):
                    told = True
                    event.by.CopyFrom(Answerer(backend=one.backend.name, model=one.model))
                if isinstance(event, TextDelta):
                    said += event.text
                yield event

    answers = first_that_can(
        listed,
        ask,
        binds=lambda event: not isinstance(event, TextDelta),
        passing_on=(WorkError, ModelGone),  # it takes no tools, say, or its process is gone for good
        told=_told,
        waits=False,  # a request that may be sent again was
    )
    async with aclosing(answers) as events:
        async for one, event in events:
            yield one, event


def _told(one: Listed, failure: UpstreamFailure) -> UpstreamFailure:
    """The failure as callers and clients know it."""
    message = failure.told(one.backend.name, _FIELDS)
    told = UpstreamFailure(failure.code, message, retryable=failure.retryable, detail=failure.detail)
    told.attempts = failure.attempts
    return told
