"""A conversation is cut to its model's window from its oldest turn."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.bus import WorkError
from dialtone.llm.context import CUT_STEP, estimate_tokens, prompt_budget, trim
from dialtone.v1.turn_pb2 import LlmTurn, Message
from tests.llm.conversations import turn


async def _length(messages: Sequence[Message]) -> int:
    return sum(len(m.text) for m in messages)


def _tool_turn(text: str, call_id: str, result: str) -> list[Message]:
    call = Message(role=Message.ROLE_ASSISTANT)
    call.tool_calls.add(call_id=call_id, name="f", arguments="{}")
    return [
        Message(role=Message.ROLE_USER, text=text),
        call,
        Message(role=Message.ROLE_TOOL, tool_call_id=call_id, text=result),
        Message(role=Message.ROLE_ASSISTANT, text="done"),
    ]


async def test_what_fits_is_left_alone() -> None:
    asked = turn("a" * 10, "b" * 10, "c" * 10)
    assert await trim(asked, 1000, _length) == list(asked.messages)


async def test_system_message_and_last_turn_stay() -> None:
    kept = await trim(turn("a" * 100, "b" * 100, "c" * 50, system="s" * 20), 80, _length)
    assert [m.text[0] for m in kept] == ["s", "c"]


async def test_the_cut_stays_put_for_several_turns() -> None:
    """So that the prompt's beginning, and with it the server's cached prefix, stays the same."""
    firsts = []
    for turns in range(12, 12 + 2 * CUT_STEP):
        texts = [f"{number:05}" for number in range(2 * turns - 1)]
        kept = await trim(turn(*texts, system=""), 60, _length)
        assert await _length(kept) <= 60
        firsts.append(kept[0].text)
    assert len(set(firsts)) <= 3


@given(
    sizes=st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=20),
    budget=st.integers(80, 200),
)
async def test_calls_and_results_stay_together(sizes: list[tuple[int, bool]], budget: int) -> None:
    messages = [Message(role=Message.ROLE_SYSTEM, text="system")]
    for number, (size, with_tool) in enumerate(sizes):
        if with_tool:
            messages += _tool_turn("u" * size, f"call{number}", "r" * 10)
        else:
            messages += [Message(role=Message.ROLE_USER, text="u" * size)]
            messages += [Message(role=Message.ROLE_ASSISTANT, text="a" * size)]
    kept = await trim(LlmTurn(messages=messages), budget, _length)
    assert await _length(kept) <= budget
    called = [call.call_id for m in kept for call in m.tool_calls]
    answered = [m.tool_call_id for m in kept if m.role == Message.ROLE_TOOL]
    assert called == answered
    assert kept[0].text == "system"
    assert kept[1].role == Message.ROLE_USER
    assert kept[-1] == messages[-1]


async def test_old_steps_of_a_long_last_turn_go_first() -> None:
    question, *first = _tool_turn("q" * 10, "a", "r" * 100)
    _, *second = _tool_turn("", "b", "r" * 20)
    kept = await trim(LlmTurn(messages=[question, *first[:2], *second[:2]]), 60, _length)
    assert [m.tool_call_id for m in kept if m.role == Message.ROLE_TOOL] == ["b"]
    assert kept[0] == question


async def test_what_cannot_fit_is_said_so() -> None:
    with pytest.raises(WorkError) as failed:
        await trim(turn("x" * 500), 100, _length)
    assert failed.value.code == "context_length_exceeded"


async def test_nothing_goes_where_truncation_is_disabled() -> None:
    asked = turn("a" * 100, "b" * 100, "c" * 50, system="s" * 20)
    asked.truncation_disabled = True
    assert await trim(asked, 270, _length) == list(asked.messages)
    with pytest.raises(WorkError) as failed:
        await trim(asked, 269, _length)
    assert failed.value.code == "context_length_exceeded"
    assert not failed.value.retryable


def test_the_answer_keeps_its_room() -> None:
    assert prompt_budget(4096, LlmTurn(max_output_tokens=1000)) == 3096
    assert prompt_budget(4096, LlmTurn(max_output_tokens=100_000)) == 2048
    assert prompt_budget(4096, LlmTurn()) == 4096 - 512


@pytest.mark.parametrize(
    ("text", "tokens"), [("Hello, how are you today?", 7), ("你好,请问今天天气怎么样?", 9), ("🙂🙂", 4)]
)
def test_estimates_are_on_the_safe_side(text: str, tokens: int) -> None:
    assert estimate_tokens([Message(text=text)]) >= tokens
