"""What is left of a model's text when reasoning and repetition are out."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.llm.continuation import OverlapFilter
from dialtone.llm.text_filters import ControlFilter, TextFilter, ThinkFilter


def _through(text_filter: TextFilter, text: str, cuts: list[int]) -> str:
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    passed = [text_filter.feed(text[a:b]) for a, b in itertools.pairwise(edges)]
    return "".join(passed) + text_filter.flush()


_CUTS = st.lists(st.integers(min_value=0), max_size=12)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("<think>They greet me.</think>\n\nHello!", "Hello!"),
        ("<think>\n</think>Hello!", "Hello!"),
        ("Hello <think>hm</think>there.", "Hello there."),
        ("<thinking>a</thinking><think>b</think> Hi", "Hi"),
        ("<think>never closed", ""),
        ("2 < 3 and <thin air", "2 < 3 and <thin air"),
        ("a <think", "a <think"),
        ("</think>", ""),
        ("</think>\n\nHi", "Hi"),
        ("a </thinking>b", "a b"),
    ],
)
@given(cuts=_CUTS)
def test_reasoning_is_not_spoken(text: str, spoken: str, cuts: list[int]) -> None:
    assert _through(ThinkFilter(), text, cuts) == spoken


def test_text_without_tags_is_not_held_back() -> None:
    thinking = ThinkFilter()
    assert [thinking.feed(part) for part in ("Hello", " there", ".")] == ["Hello", " there", "."]


def test_control_characters_are_dropped() -> None:
    assert ControlFilter().feed("a\x00b\x1bc\nd\te") == "abc\nd\te"


@pytest.mark.parametrize(
    ("delivered", "answer", "new"),
    [
        # It goes on where it was cut.
        ("The sun is", " shining today.", " shining today."),
        ("The sun is", "shining today.", " shining today."),
        # It begins anew and says the same.
        ("The sun is shining. Take", "The sun is shining. Take a hat.", " a hat."),
        ("The sun is shining.", "The sun is shining. Take a hat.", " Take a hat."),
        ("the sun  is", "The sun is shining.", " shining."),
        # It repeats its last words, or the last sentence.
        ("The sun is shining. You should", "You should take a hat.", " take a hat."),
        ("I would go to the old bridge", "the old bridge at noon.", " at noon."),
        # It begins anew and then departs: the sentence heard is left out, not half of the next.
        ("The sun is shining. Take a hat", "The sun is shining. Bring water.", " Bring water."),
        ("The sun is shining. Take a hat", "Rain is expected.", " Rain is expected."),
        # It repeats everything and says nothing new.
        ("The sun is shining.", "The sun is shining.", ""),
        # Chinese has no spaces.
        ("今天天气很好。我们", "今天天气很好。我们去公园吧。", "去公园吧。"),
        ("今天天气很好。我们", "去公园吧。", "去公园吧。"),
        # One common word is no repetition.
        ("Dogs and cats are nice, and", "and birds", " and birds"),
    ],
)
@given(cuts=_CUTS)
def test_what_was_heard_is_not_said_again(delivered: str, answer: str, new: str, cuts: list[int]) -> None:
    assert _through(OverlapFilter(delivered), answer, cuts) == new


@given(delivered=st.text(max_size=60), answer=st.text(max_size=60), cuts=_CUTS)
def test_only_a_beginning_is_ever_left_out(delivered: str, answer: str, cuts: list[int]) -> None:
    passed = _through(OverlapFilter(delivered), answer, cuts)
    assert answer.endswith(passed) or answer.endswith(passed.removeprefix(" "))
