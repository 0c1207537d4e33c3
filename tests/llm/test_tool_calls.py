"""Tool calls are put together from whatever parts a server sends, and handed on only when they are whole."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.bus import WorkError
from dialtone.llm.chunks import FunctionDelta, ToolCallPart
from dialtone.llm.tool_calls import ToolCall, ToolCallAssembler, call_deltas, object_text
from dialtone.v1.turn_pb2 import Message
from tests.llm.conversations import turn


def _part(
    index: int | None,
    call_id: str | None = None,
    name: str | None = None,
    arguments: str | dict[str, object] | None = None,
) -> ToolCallPart:
    return ToolCallPart(index=index, id=call_id, function=FunctionDelta(name=name, arguments=arguments))


def _assemble(*parts: ToolCallPart, cut: bool = False) -> list[tuple[str, str, str]]:
    assembler = ToolCallAssembler()
    for part in parts:
        assembler.feed([part])
    return [(call.call_id, call.name, call.arguments) for call in assembler.calls(cut=cut)]


def test_parallel_calls_come_interleaved() -> None:
    calls = _assemble(
        _part(0, "a", "f", ""), _part(1, "b", "g", ""), _part(0, None, None, '{"x":'),
        _part(1, None, None, "{}"), _part(0, None, None, "1}"),
    )  # fmt: skip
    assert calls == [("a", "f", '{"x":1}'), ("b", "g", "{}")]


@given(cuts=st.lists(st.integers(0, 200), max_size=12))
def test_arguments_may_be_split_anywhere(cuts: list[int]) -> None:
    whole = json.dumps({"city": 'São "Paulo"\n', "note": "\\u00e9 \\ {}"}, ensure_ascii=False)
    edges = [0, *sorted(cut % len(whole) for cut in cuts), len(whole)]
    pieces = [_part(0, None, None, whole[a:b]) for a, b in itertools.pairwise(edges)]
    assert _assemble(_part(0, "a", "f", ""), *pieces) == [("a", "f", whole)]


def test_id_and_name_repeated_in_every_part_are_taken_once() -> None:
    assert _assemble(_part(0, "a", "f", '{"x":'), _part(0, "a", "f", "1}")) == [("a", "f", '{"x":1}')]
    assert _assemble(_part(0, None, "f", '{"x":'), _part(0, None, "f", "1}")) == [("", "f", '{"x":1}')]
    assert _assemble(_part(0, "", "f", "{}"), _part(0, "", "f", "")) == [("", "f", "{}")]


def test_the_id_and_the_name_may_come_late() -> None:
    calls = _assemble(_part(0, None, None, '{"x"'), _part(0, None, "f", ":1"), _part(0, "a", None, "}"))
    assert calls == [("a", "f", '{"x":1}')]


def test_a_new_id_in_every_part_is_still_one_call() -> None:
    assert _assemble(_part(0, "a", "f", '{"x":'), _part(0, "b", None, "1}")) == [("a", "f", '{"x":1}')]


def test_calls_that_all_have_index_0_are_told_apart() -> None:
    assert _assemble(_part(0, "a", "f", "{}"), _part(0, "b", "f", "{}")) == [
        ("a", "f", "{}"),
        ("b", "f", "{}"),
    ]
    without_ids = _assemble(_part(0, None, "f", '{"x":1}'), _part(0, None, "f", '{"x":2}'))
    assert without_ids == [("", "f", '{"x":1}'), ("", "f", '{"x":2}')]
    assert _assemble(_part(0, None, "f", ""), _part(0, None, "g", "")) == [("", "f", "{}"), ("", "g", "{}")]


def test_parts_without_index_go_by_id_or_to_the_last_call() -> None:
    calls = _assemble(_part(None, "a", "f", "{"), _part(None, None, None, "}"), _part(None, "b", "g", "{}"))
    assert calls == [("a", "f", "{}"), ("b", "g", "{}")]
    back = _assemble(_part(None, "a", "f", "{"), _part(None, "b", "g", "{}"), _part(None, "a", None, "}"))
    assert back == [("a", "f", "{}"), ("b", "g", "{}")]
    whole = _assemble(_part(None, None, "f", "{}"), _part(None, None, "f", '{"x":1}'))
    assert whole == [("", "f", "{}"), ("", "f", '{"x":1}')]


def test_an_index_may_appear_only_after_the_first_part() -> None:
    assert _assemble(_part(None, "a", "f", ""), _part(0, None, None, '{"x":1}')) == [("a", "f", '{"x":1}')]


def test_arguments_as_an_object_become_text() -> None:
    [(_, _, arguments)] = _assemble(_part(0, "a", "f", {"city": "Köln"}))
    assert arguments == '{"city": "Köln"}'


@pytest.mark.parametrize(
    ("sent", "means"),
    [
        ("", "{}"),
        (" \n", "{}"),
        ("null", "{}"),
        (' {"a": 1} ', '{"a": 1}'),
        ('"{\\"a\\": 1}"', '{"a": 1}'),
        ('{"a": "one\ntwo"}', '{"a": "one\\ntwo"}'),
    ],
)
def test_what_can_mean_one_thing_only_is_repaired(sent: str, means: str) -> None:
    assert object_text(sent) == means


@pytest.mark.parametrize(
    "sent",
    ['{"a": 1', '{"a": 1}{"b": 2}', "{'a': 1}", "[1]", "12", '"Paris"', '{"a": NaN}', '{"a": 1,}', "city"],
)
def test_arguments_that_are_no_object_fail_by_the_tools_name(sent: str) -> None:
    with pytest.raises(WorkError, match="get_weather") as failed:
        _assemble(_part(0, "a", "get_weather", sent))
    assert failed.value.code == "bad_tool_call"
    assert failed.value.retryable


def test_a_call_without_a_name_fails_unless_it_is_empty() -> None:
    assert _assemble(_part(0, "a", None, "")) == []
    with pytest.raises(WorkError) as failed:
        _assemble(_part(0, "a", None, "{}"))
    assert failed.value.code == "bad_tool_call"


def test_of_a_cut_answer_only_whole_calls_remain() -> None:
    first = _part(0, "a", "f", '{"x":1}')
    for cut_off in ('{"x":', ""):
        assert _assemble(first, _part(1, "b", "g", cut_off), cut=True) == [("a", "f", '{"x":1}')]


def test_calls_get_ids_of_their_own_where_they_have_none_or_share_one() -> None:
    calls = [ToolCall("", "f", "{}"), ToolCall("c", "g", "{}"), ToolCall("c", "h", "{}")]
    deltas = call_deltas(calls, turn("Hi"))
    ids = [delta.call_id for delta in deltas]
    assert ids[0].startswith("call_")
    assert ids[1] == "c"
    assert len(set(ids)) == 3
    assert [delta.index for delta in deltas] == [0, 1, 2]


def test_an_id_that_an_earlier_turn_used_is_not_used_again() -> None:
    asked = turn("Hi")
    asked.messages.add(role=Message.ROLE_ASSISTANT).tool_calls.add(call_id="call_0", name="f", arguments="{}")
    [delta] = call_deltas([ToolCall("call_0", "f", "{}")], asked)
    assert delta.call_id != "call_0"
