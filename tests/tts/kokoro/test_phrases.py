"""Sentences are cut where they pause, the first phrase early, and nothing of them is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.tts.engines.kokoro.phrases import LONGEST, phrases

CLAUSE = "wˈʌn klˈɔz ʌv ɪt"


@pytest.mark.parametrize(
    ("symbols", "cut"),
    [
        ("həlˈO.", ["həlˈO."]),
        ("jˈɛs, ʃˈʊɹ.", ["jˈɛs, ʃˈʊɹ."]),
        ("həlˈO ðˈɛɹ, ðə wˈɛðəɹ ɪz fˈIn.", ["həlˈO ðˈɛɹ,", "ðə wˈɛðəɹ ɪz fˈIn."]),
        (
            f"{CLAUSE}, {CLAUSE}, {CLAUSE}, {CLAUSE}.",
            [f"{CLAUSE},", f"{CLAUSE}, {CLAUSE},", f"{CLAUSE}."],
        ),
        (". , !", []),
        ("", []),
    ],
)
def test_a_sentence_is_cut_at_its_marks(symbols: str, cut: list[str]) -> None:
    assert list(phrases(symbols)) == cut


def test_without_marks_it_is_cut_between_words_and_a_word_without_end_anywhere() -> None:
    words = list(phrases("wˈɜɹd " * 100))
    assert max(map(len, words)) <= LONGEST
    assert {word for phrase in words for word in phrase.split()} == {"wˈɜɹd"}
    assert list(map(len, phrases("a" * (2 * LONGEST + 5)))) == [LONGEST, LONGEST, 5]


@given(st.text("abˈ ,.?—", max_size=600))
def test_nothing_is_lost_and_nothing_is_too_long(symbols: str) -> None:
    found = list(phrases(symbols))
    assert all(0 < len(phrase) <= LONGEST for phrase in found)
    assert "".join(filter(str.isalpha, "".join(found))) == "".join(filter(str.isalpha, symbols))
