"""Keeping a conversation within a model's window: the oldest turns go first.

The cut moves in steps of several turns: between two steps the prompt keeps its beginning, and with it the
server's prefix cache.
"""

from collections.abc import Awaitable, Callable, Sequence

from dialtone.bus import WorkError
from dialtone.chat import split_steps, split_turns
from dialtone.v1.turn_pb2 import LlmTurn, Message, Tool

CUT_STEP = 4
"""Turns that a cut moves by."""
DEFAULT_ANSWER_TOKENS = 512
"""Room kept for an answer whose length the session does not limit."""

CountTokens = Callable[[Sequence[Message]], Awaitable[int]]


def prompt_budget(window: int, turn: LlmTurn) -> int:
    """Return how many tokens of the window the prompt may take; an answer gets no more than half of it."""
    answer = turn.max_output_tokens if turn.HasField("max_output_tokens") else DEFAULT_ANSWER_TOKENS
    return window - min(answer, window // 2)


async def trim(turn: LlmTurn, budget: int, count: CountTokens) -> list[Message]:
    """Return the turn's messages without as many of the oldest turns as it takes to fit `budget` tokens.

    System messages at the beginning stay. Of a last turn that is too large by itself, tool calls go with
    their results, oldest first. WorkError("context_length_exceeded") when what must stay does not fit, which
    is all of it where the turn's truncation is disabled.
    """
    messages = turn.messages
    if await count(messages) <= budget:
        return list(messages)
    if turn.truncation_disabled:
        raise WorkError(
            "context_length_exceeded",
            "the conversation does not fit the model's context window, and its truncation is disabled",
        )
    system, turns = split_turns(messages)

    async def fits(dropped: int) -> bool:
        return await count([*system, *(m for turn in turns[dropped:] for m in turn)]) <= budget

    low, high = 1, max(1, len(turns) - 1)  # the least number of turns to drop lies here, if any does
    while low < high:
        middle = (low + high) // 2
        if await fits(middle):
            high = middle
        else:
            low = middle + 1
    stepped = -(-low // CUT_STEP) * CUT_STEP
    dropped = stepped if stepped < len(turns) else min(low, len(turns) - 1)
    kept = [*system, *(m for turn in turns[dropped:] for m in turn)]
    if await count(kept) <= budget:
        return kept
    steps = split_steps(turns[-1]) if turns else []
    for first in range(1, len(steps)):
        kept = [*system, *steps[0], *(m for step in steps[first + 1 :] for m in step)]
        if first + 1 < len(steps) and await count(kept) <= budget:
            return kept
    raise WorkError("context_length_exceeded", "the last message does not fit the model's context window")


def estimate_tokens(messages: Sequence[Message], tools: Sequence[Tool] = ()) -> int:
    """Estimate on the safe side, for models whose tokenizer is not at hand."""
    texts = [text for m in messages for text in (m.text, *(c.name + c.arguments for c in m.tool_calls))]
    texts += [tool.name + tool.description + tool.parameters_json for tool in tools]
    images = sum(len(message.images) for message in messages)
    return sum(_tokens(text) for text in texts) + 8 * (len(messages) + len(tools)) + 1200 * images


def _tokens(text: str) -> int:
    size = len(text.encode())
    wide = size - sum(char.isascii() for char in text)
    return (size - wide) // 3 + wide // 2 + 1
