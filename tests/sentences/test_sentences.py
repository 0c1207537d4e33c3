"""The sentence splitter: what is spoken in one piece, and that nothing is lost on the way."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.gateway.core.sentences import Limits, SentenceSplitter, is_speakable
from tests.sentences.cases import CHINESE, ENGLISH


def split(*deltas: str, limits: Limits | None = None) -> list[str]:
    splitter = SentenceSplitter(limits) if limits else SentenceSplitter()
    pieces = [piece for delta in deltas for piece in splitter.feed(delta)]
    return pieces + splitter.flush()


@pytest.mark.parametrize("case", ENGLISH.values(), ids=ENGLISH.keys())
def test_english(case: str) -> None:
    assert split(case.replace("|", "")) == case.split("|")


@pytest.mark.parametrize("case", CHINESE.values(), ids=CHINESE.keys())
def test_chinese(case: str) -> None:
    assert split(case.replace("|", "")) == case.split("|")


@pytest.mark.parametrize("case", [*ENGLISH.values(), *CHINESE.values()])
def test_one_character_at_a_time_gives_the_same_pieces(case: str) -> None:
    assert split(*case.replace("|", "")) == case.split("|")


@pytest.mark.parametrize(
    ("said_so_far", "then", "at_once"),
    [
        ("How are you?", " I", True),
        ("That is great!", " I", True),
        ("Hello my friend,", " I", True),
        ("你好吗\N{FULLWIDTH QUESTION MARK}", "我", True),
        ("你好。", "我", True),
        ("That is it.", " I", False),  # "it.com"
        ("It is 3.", "5", False),
        ('"Go away!', '"', False),  # the quote goes with the sentence
    ],
)
def test_a_mark_waits_only_where_what_follows_matters(said_so_far: str, then: str, at_once: bool) -> None:
    splitter = SentenceSplitter()
    assert bool(splitter.feed(said_so_far)) is at_once
    if not at_once:
        assert splitter.feed(then + " x") in ([said_so_far], [said_so_far + then], [])


def test_the_tail_without_a_mark_is_kept_for_flush() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("no mark at all") == []
    assert splitter.flush() == ["no mark at all"]
    assert splitter.flush() == []


def test_flush_begins_anew() -> None:
    splitter = SentenceSplitter()
    splitter.feed('He said "no')
    splitter.flush()
    assert splitter.feed("Hello my friend, again") == ["Hello my friend,"]


def test_a_long_english_run_is_cut_between_words() -> None:
    text = "word " * 200
    pieces = split(text)
    assert len(pieces) > 4
    assert all(len(piece) <= 201 for piece in pieces)
    assert all(set(piece.split()) == {"word"} for piece in pieces)


def test_a_long_run_is_cut_at_its_last_clause_if_there_is_one() -> None:
    pieces = split("Yes. " + "one two three four " * 6 + "five, " + "six seven eight " * 20)
    assert pieces[1].endswith("five,")


def test_a_long_chinese_run_is_cut_without_spaces() -> None:
    pieces = split("我" * 300)
    assert [len(piece) for piece in pieces[:-1]] == [60] * (len(pieces) - 1)


def test_a_long_chinese_run_keeps_its_latin_words_whole() -> None:
    pieces = split("我喜欢用database做事" * 30)
    assert all("database" in piece or len(piece) < 20 for piece in pieces)
    assert sum(piece.count("database") for piece in pieces) == 30


def test_a_blob_without_any_space_is_still_bounded() -> None:
    pieces = split("x" * 5000)
    assert max(map(len, pieces)) <= 402


def test_an_address_longer_than_a_piece_is_whole() -> None:
    address = "https://example.com/" + "a" * 250
    assert any(address in piece for piece in split(f"See {address} for more. Bye."))


def test_limits_are_settings() -> None:
    assert split("Hi, there.", limits=Limits(clause_letters=2, clause_wide=1)) == ["Hi,", " there."]


def test_what_cannot_be_spoken_goes_with_what_can() -> None:
    assert split("---\n***\n\nHello. ...") == ["---\n***\n\nHello.", " ..."]
    assert [is_speakable(text) for text in ("...", "🎉 ", "a", "我", "7")] == [False, False, True, True, True]


TEXTS = st.one_of(
    st.text(alphabet=st.sampled_from("aA1 .,!?…\"'*()\n:;-—“”I好。，！？：；（）「」U.S"), max_size=120),
    st.text(max_size=60),
    st.lists(st.sampled_from([*ENGLISH.values(), *CHINESE.values()]), max_size=4).map(" ".join),
    st.lists(
        st.sampled_from(["Dr", ".", " ", "Then", "etc", "U.S", "42", "x.y", "，", "我", "?", "..."]),
        max_size=60,
    ).map("".join),
)
LIMITS = st.sampled_from([Limits(), Limits(clause_letters=1, clause_wide=1, piece_letters=12, piece_wide=6)])


@given(TEXTS, LIMITS, st.data())
def test_any_chunking_gives_the_same_pieces(text: str, limits: Limits, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert split(*chunks, limits=limits) == split(text, limits=limits) == split(*text, limits=limits)


@given(TEXTS, LIMITS)
def test_no_character_is_lost_or_said_twice(text: str, limits: Limits) -> None:
    pieces = split(text, limits=limits)
    assert "".join(pieces) == text
    assert all(map(is_speakable, pieces[:-1]))
    assert all(pieces)


@given(st.text(alphabet="ab ,.我，。", min_size=200, max_size=900))
def test_pieces_are_bounded(text: str) -> None:
    for piece in split(text):
        letters = sum(ord(char) < 0x2E80 for char in piece.lstrip(" ,.，。"))
        assert letters / 200 + (len(piece.lstrip(" ,.，。")) - letters) / 60 <= 2.2


@pytest.mark.parametrize(
    "unit", ["a", "a ", "我", ".", "(", "*", '"', "a.", "etc. ", "1,", "a,b", "?!", "-", ":-"]
)
def test_a_long_answer_takes_linear_time(unit: str) -> None:
    begin = time.perf_counter()
    text = unit * (60_000 // len(unit))
    assert "".join(split(text)) == text
    assert time.perf_counter() - begin < 5
