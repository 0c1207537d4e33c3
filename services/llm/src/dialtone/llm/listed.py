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
    """Yield who answers and the answer's events; the first delta says who. See `ChatBackend.stream`.

    The next is asked before the first delta alone: later another attempt goes on from what was delivered.
    Raises what the last one failed with, or the one that had begun.
    """

    async def ask(one: Listed) -> AsyncGenerator[Event, None]:
        asked = LlmTurn()
        asked.CopyFrom(turn)
        asked.model = one.model
        told = False
        async with aclosing(one.backend.stream(asked, delivered)) as events:
            async for event in events:
                if not told and isinstance(event, TextDelta | ToolCallDelta):
                    told = True
                    event.by.CopyFrom(Answerer(backend=one.backend.name, model=one.model))
                yield event

    answers = first_that_can(
        listed,
        ask,
        binds=lambda _: True,
        passing_on=(WorkError, ModelGone),  # it takes no tools, say, or its process is gone for good
        told=_as_it_is,
        waits=False,  # a request that may be sent again was
    )
    async with aclosing(answers) as events:
        async for one, event in events:
            yield one, event


def _as_it_is(_one: Listed, failure: UpstreamFailure) -> UpstreamFailure:
    return failure
