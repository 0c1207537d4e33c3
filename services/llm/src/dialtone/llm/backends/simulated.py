"""A model that costs nothing, for measuring everything around it.

Its first token comes 50 ms after the start and each next one 20 ms later, on a schedule: a late token does
not delay those after it. The first sentence is complete with the sixth token.
"""

import asyncio
import math
from collections.abc import AsyncGenerator

from dialtone.llm.abilities import Abilities
from dialtone.llm.answer import Event
from dialtone.v1.common_pb2 import Usage
from dialtone.v1.turn_pb2 import LlmTurn, TextDelta, TurnDone

FIRST_TOKEN_S = 0.050
TOKEN_S = 0.020

# The full stops carry the space after them, so that a splitter knows the sentence to be over at the sixth
# token.
TOKENS = (
    *("I", " can", " help", " with", " that", ". "),
    *("The", " answer", " you", " hear", " is", " the", " same", " for", " every", " question", ". "),
    *("Ask", " me", " again", " and", " you", " will", " hear", " it", " once", " more", "."),
)


class SimulatedBackend:
    """Answers every turn with the same three sentences, on time."""

    name = "simulated"
    abilities = Abilities(
        where="nowhere: three sentences on a schedule, for measuring",
        tools="never calls one",
        images="no",
        goes_on="in mid-sentence",
        counts="nobody",
        key="none",
        models="`simulated`",
    )

    breaker = None

    async def load(self) -> None:
        """Nothing to load."""

    def check(self, turn: LlmTurn) -> None:
        """It takes every turn."""

    async def stream(
        self, turn: LlmTurn, delivered: str = "", *, again: bool = True, first_token_by: float = math.inf
    ) -> AsyncGenerator[Event, None]:
        """Yield the answer to a turn. See `ChatBackend.stream`."""
        del again, first_token_by  # nothing fails here, and nothing is late
        loop = asyncio.get_running_loop()
        start = loop.time()
        limit = turn.max_output_tokens if turn.HasField("max_output_tokens") else len(TOKENS)
        heard = len(delivered)
        sent = 0
        for token in TOKENS[:limit]:
            skipped, heard = min(heard, len(token)), max(0, heard - len(token))
            if skipped == len(token):
                continue
            await asyncio.sleep(start + FIRST_TOKEN_S + sent * TOKEN_S - loop.time())
            sent += 1
            yield TextDelta(text=token[skipped:])
        cut = limit < len(TOKENS)
        yield TurnDone(
            finish_reason=TurnDone.FINISH_REASON_LENGTH if cut else TurnDone.FINISH_REASON_STOP,
            usage=Usage(input_tokens=sum(len(m.text) for m in turn.messages) // 4, output_tokens=sent),
        )

    async def close(self) -> None:
        """Nothing to close."""
