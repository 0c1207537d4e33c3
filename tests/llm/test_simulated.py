"""The simulated model keeps its schedule."""

import asyncio

from dialtone.llm.backends.simulated import FIRST_TOKEN_S, TOKEN_S, TOKENS, SimulatedBackend
from tests.llm.conversations import read, text_of, turn


def test_the_first_sentence_is_complete_with_the_sixth_token() -> None:
    assert "".join(TOKENS[:6]) == "I can help with that. "
    assert "".join(TOKENS).count(".") == 3
    assert not any(mark in "".join(TOKENS) for mark in ",;:")


async def test_a_late_token_does_not_delay_those_after_it() -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    due = start + FIRST_TOKEN_S
    async for event in SimulatedBackend().stream(turn("Hello")):
        now = loop.time()
        if event.DESCRIPTOR.name == "TurnDone":
            break
        assert now >= due - 0.002, "never early"
        if due - start < 0.1:
            await asyncio.sleep(0.1)  # a reader that falls behind
        due += TOKEN_S
    planned = FIRST_TOKEN_S + (len(TOKENS) - 1) * TOKEN_S
    assert loop.time() - start < planned + 0.25


async def test_a_continuation_says_only_what_was_not_heard() -> None:
    whole = "".join(TOKENS)
    events = await read(SimulatedBackend().stream(turn("Hello"), whole[:30]))
    assert text_of(events) == whole[30:]
