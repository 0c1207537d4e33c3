"""Tool calls are put together from whatever parts a server sends."""

import json

import pytest

from dialtone.llm.chunks import FunctionDelta, ToolCallPart
from dialtone.llm.tool_calls import ToolCallAssembler, WrittenCalls
from dialtone.v1.turn_pb2 import ToolCallDelta
from tests.llm.conversations import calls_of


def _part(
    index: int | None, call_id: str | None = None, name: str | None = None, arguments: str | None = None
) -> ToolCallPart:
    return ToolCallPart(index=index, id=call_id, function=FunctionDelta(name=name, arguments=arguments))


def _assemble(*parts: ToolCallPart) -> list[tuple[str, str, str]]:
    assembler = ToolCallAssembler()
    deltas: list[ToolCallDelta] = []
    for part in parts:
        deltas += assembler.feed([part])
    return calls_of([*deltas, *assembler.finish()])


def test_parallel_calls_come_interleaved() -> None:
    calls = _assemble(
        _part(0, "a", "f", ""), _part(1, "b", "g", ""), _part(0, None, None, '{"x":'),
        _part(1, None, None, "{}"), _part(0, None, None, "1}"),
    )  # fmt: skip
    assert calls == [("a", "f", '{"x":1}'), ("b", "g", "{}")]


def test_id_and_name_repeated_in_every_part_are_taken_once() -> None:
    calls = _assemble(_part(0, "a", "f", '{"x":'), _part(0, "a", "f", "1}"))
    assert calls == [("a", "f", '{"x":1}')]


def test_a_new_id_on_a_used_index_is_a_new_call() -> None:
    calls = _assemble(_part(0, "a", "f", "{}"), _part(0, "b", "g", "{}"))
    assert calls == [("a", "f", "{}"), ("b", "g", "{}")]


def test_parts_without_index_go_by_id_or_to_the_last_call() -> None:
    calls = _assemble(_part(None, "a", "f", "{"), _part(None, None, None, "}"), _part(None, "b", "g", "{}"))
    assert calls == [("a", "f", "{}"), ("b", "g", "{}")]


def test_arguments_before_the_name_wait_for_it_and_missing_ones_are_an_empty_object() -> None:
    assert _assemble(_part(0, "a", None, '{"x"'), _part(0, None, "f", ":1}")) == [("a", "f", '{"x":1}')]
    assert _assemble(_part(0, "a", "f", None)) == [("a", "f", "{}")]


def test_a_call_that_never_gets_a_name_is_none_and_one_without_id_gets_one() -> None:
    assert _assemble(_part(0, "a", None, "{}")) == []
    [(call_id, name, _)] = _assemble(_part(0, None, "f", "{}"))
    assert call_id.startswith("call_")
    assert name == "f"


_CALL = '{"name": "get_weather", "arguments": {"city": "Paris"}}'


@pytest.mark.parametrize(
    "written",
    [
        _CALL,
        f" \n{_CALL}\n",
        f"<tool_call>\n{_CALL}\n</tool_call>",
        f"```json\n{_CALL}\n```",
        f"[{_CALL}]",
        _CALL.replace("arguments", "parameters"),
        json.dumps({"name": "get_weather", "arguments": '{"city": "Paris"}'}),
    ],
)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_call_written_as_text_is_a_call(written: str, step: int) -> None:
    found = WrittenCalls(["get_weather"])
    passed = [found.feed(written[at : at + step]) for at in range(0, len(written), step)]
    assert "".join(passed) + found.flush() == ""
    assert [(call.name, json.loads(call.arguments)) for call in found.calls] == [
        ("get_weather", {"city": "Paris"})
    ]


def test_several_written_calls_are_several_calls() -> None:
    found = WrittenCalls(["get_weather"])
    found.feed(f"<tool_call>{_CALL}</tool_call>\n<tool_call>{_CALL}</tool_call>")
    assert found.flush() == ""
    assert len(found.calls) == 2


def test_an_invented_tool_is_neither_called_nor_spoken() -> None:
    found = WrittenCalls(["get_weather"])
    assert found.feed('{"name": "Joke", "arguments": {}}') + found.flush() == ""
    assert not found.calls
    assert found.unknown == 1


def test_other_text_passes_at_once_and_other_json_at_the_end() -> None:
    found = WrittenCalls(["get_weather"])
    assert found.feed("Sure, ") == "Sure, "
    assert found.feed(_CALL) == _CALL
    other = WrittenCalls(["get_weather"])
    assert other.feed("[1, 2]") == ""
    assert other.flush() == "[1, 2]"
