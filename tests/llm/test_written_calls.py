"""Calls that a model writes into its text are found, and never read aloud."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.llm.written_calls import WrittenCalls

_PARIS = json.dumps({"name": "get_weather", "arguments": {"city": "Paris"}})
_ROME = json.dumps({"name": "get_weather", "arguments": {"city": "Rome"}})
_CUTS = st.lists(st.integers(min_value=0), max_size=16)


def _read(text: str, cuts: list[int], *, bare: bool = True) -> tuple[str, WrittenCalls]:
    found = WrittenCalls(["get_weather"], bare=bare)
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    passed = "".join(found.feed(text[a:b]) for a, b in itertools.pairwise(edges))
    return passed + found.flush(), found


@pytest.mark.parametrize(
    ("written", "cities"),
    [
        (_PARIS, ["Paris"]),
        (f"\n{_PARIS}\n", ["Paris"]),
        (f"<tool_call>\n{_PARIS}\n</tool_call>", ["Paris"]),
        (f"<tool_call>{_PARIS}", ["Paris"]),
        (f"<tool_call>{_PARIS}</tool_call>\n<tool_call>\n{_ROME}\n</tool_call>", ["Paris", "Rome"]),
        (f"<tools>\n{_PARIS}\n</tools>", ["Paris"]),
        (f"```json\n{_PARIS}\n```", ["Paris"]),
        (f"[{_PARIS}, {_ROME}]", ["Paris", "Rome"]),
        (f"{_PARIS}\n{_ROME}", ["Paris", "Rome"]),
        (_PARIS.replace("arguments", "parameters"), ["Paris"]),
        (json.dumps({"type": "function", "function": json.loads(_PARIS)}), ["Paris"]),
        (json.dumps({"name": "get_weather", "arguments": '{"city": "Paris"}'}), ["Paris"]),
        # It goes on as if it had the result, or says the same again.
        (f"{_PARIS}. It is sunny!", ["Paris"]),
        (f"{_PARIS}\n{_PARIS}\n{_ROME}", ["Paris"]),
    ],
)
@given(cuts=_CUTS)
def test_a_written_call_is_a_call_and_is_not_spoken(written: str, cities: list[str], cuts: list[int]) -> None:
    spoken, found = _read(written, cuts)
    assert not spoken.strip()
    assert [json.loads(call.arguments)["city"] for call in found.calls] == cities
    assert not found.broken


@pytest.mark.parametrize("call", [f"<tool_call>\n{_PARIS}\n</tool_call>", _PARIS, f"```json\n{_PARIS}```"])
@given(cuts=_CUTS)
def test_text_before_a_call_is_spoken(call: str, cuts: list[int]) -> None:
    spoken, found = _read(f"One moment, 2 < 3. {call}", cuts)
    assert spoken == "One moment, 2 < 3. "
    assert len(found.calls) == 1


def test_text_before_a_tag_passes_at_once_and_the_tag_never() -> None:
    found = WrittenCalls(["get_weather"], bare=True)
    fed = ["One", " moment", ".", " <", "tool", "_call", ">", "\n", _PARIS, "</tool_call>"]
    assert [found.feed(part) for part in fed] == ["One", " moment", ".", " ", *[""] * 6]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Pa', "get_weather"),
        ('{"name": "get_weather", "arguments": {"city": Paris}}', "get_weather"),
        ('{"name": "get_weather", "arguments": "Paris"}', "get_weather"),
        ("<tool_call>get_weather Paris</tool_call>", ""),
        ('<minimax:tool_call><invoke name="get_weather"></invoke></minimax:tool_call>', ""),
        ('{"answer": "sunny"}', ""),
    ],
)
@given(cuts=_CUTS)
def test_a_broken_call_is_never_spoken(written: str, meant: str, cuts: list[int]) -> None:
    spoken, found = _read(written, cuts)
    assert spoken == ""
    assert not found.calls
    assert found.broken
    assert found.meant == meant


@given(cuts=_CUTS)
def test_an_invented_tool_is_neither_called_nor_spoken(cuts: list[int]) -> None:
    spoken, found = _read('{"name": "Joke", "arguments": {}}', cuts)
    assert spoken == ""
    assert not found.calls
    assert found.unknown == 1


@pytest.mark.parametrize(
    "text", ["[1, 2]", "a [b] {c} d", "{curly} words", "5 < 6, <tool", "``quoted``", "```python\nx = 1", "["]
)
@given(cuts=_CUTS)
def test_other_text_passes(text: str, cuts: list[int]) -> None:
    spoken, found = _read(text, cuts)
    assert spoken == (text if text != "[" else "")
    assert not found.calls


def test_ordinary_text_is_not_held_back() -> None:
    found = WrittenCalls(["get_weather"], bare=True)
    assert [found.feed(part) for part in ("Sure", ", ", "it is", " sunny.")] == [
        "Sure",
        ", ",
        "it is",
        " sunny.",
    ]
    assert not found.finished


def test_where_only_tags_count_json_is_text() -> None:
    assert _read(_PARIS, [], bare=False)[0] == _PARIS
    spoken, found = _read(f"So: <tool_call>{_PARIS}</tool_call>", [5, 9], bare=False)
    assert spoken == "So: "
    assert len(found.calls) == 1
