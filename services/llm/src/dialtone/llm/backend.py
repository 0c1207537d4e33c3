"""What every model backend is to the rest of this service."""

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

from dialtone.llm.abilities import Abilities
from dialtone.llm.answer import AnswerReader, Event
from dialtone.llm.chunks import Chunk
from dialtone.v1.turn_pb2 import LlmTurn, TextDelta
from dialtone.vendors.breaker import Breaker


class ChatBackend(Protocol):
    """A way to reach models. One instance serves many turns at once."""

    name: str
    """The kind of backend, as in the registry."""
    abilities: Abilities

    @property
    def breaker(self) -> Breaker | None:
        """That of its server; None of what has none."""
        ...

    async def load(self) -> None:
        """Get ready for the first turn: load and warm up what is local."""

    def check(self, turn: LlmTurn) -> None:
        """Raise WorkError where a turn holds what its model does not take: its tools, its images."""

    def stream(
        self, turn: LlmTurn, delivered: str = "", *, again: bool = True, first_token_by: float = math.inf
    ) -> AsyncGenerator[Event, None]:
        """Yield the answer to a turn: its text, then its tool calls, each whole in one ToolCallDelta, then
        one TurnDone (without times).

        `turn.model` is the name that the backend's server knows. `delivered` is the answer's text as far as
        the caller has it already: what is yielded goes on from there. `again`: a request that failed may be
        sent once more. `first_token_by`: on the loop's clock, if that is sooner than the entry's own limit.
        Closing the iterator stops the model. Raises WorkError, as `check` does, or ModelGone.
        """

    async def close(self) -> None:
        """Let go of connections and models."""


async def read_answer(
    chunks: AsyncGenerator[Chunk, None], reader: AnswerReader, enough: Callable[[], bool] = lambda: False
) -> AsyncGenerator[TextDelta, None]:
    """Yield an answer's text; its calls and its end the reader has then. When it is `enough`, the model is
    stopped."""
    async with aclosing(chunks) as stream:
        async for chunk in stream:
            for delta in reader.feed(chunk):
                yield delta
            if reader.too_long or enough():
                break
    for delta in reader.rest():
        yield delta
