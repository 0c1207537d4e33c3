"""From tokens to text: where a short window's answer is cut, and what of it is repetition."""

import numpy as np
import pytest

from dialtone.vad_asr.asr.decoding import Phrase, phrases, spoken_text, spoken_until, without_rounds
from dialtone.vad_asr.asr.hallucination import Confidence, is_invented
from dialtone.vad_asr.asr.recognition import Passage

BEGIN, END_OF_TEXT = 1000, 900
SURE, UNSURE = Confidence(0.02, -0.3), Confidence(0.2, -1.6)


def at(seconds: float) -> int:
    return BEGIN + round(seconds / 0.02)


def test_tokens_are_cut_at_their_timestamps() -> None:
    tokens = [at(0), 1, 2, at(1.5), at(1.5), 3, at(2), END_OF_TEXT]
    found = list(phrases(tokens, timestamp_begin=BEGIN, end_of_text=END_OF_TEXT))
    assert found == [Phrase(0.0, 1.5, (1, 2)), Phrase(1.5, 2.0, (3,))]


def test_a_phrase_without_an_end_is_kept() -> None:
    found = list(phrases([at(0), 1, 2], timestamp_begin=BEGIN, end_of_text=END_OF_TEXT))
    assert found == [Phrase(0.0, None, (1, 2))]


WORDS = [" ten", " of", " clubs", " no", " sir", "\ufffd"]


def decode(tokens: list[int]) -> str:
    return "".join(WORDS[token] for token in tokens)


@pytest.mark.parametrize(
    ("spoken", "seconds", "text"),
    [
        ([Phrase(0, 1, (0, 1, 2)), Phrase(1, 2, (0, 1, 2))], 1.05, "ten of clubs"),
        ([Phrase(0, 1.2, (0, 1, 2)), Phrase(3, 4, (4,))], 1.1, "ten of clubs"),
        ([Phrase(0, 1, (0, 1, 2)), Phrase(1, 2, (4,))], 2.0, "ten of clubs sir"),
        ([Phrase(0, 1, (0, 1, 2)), Phrase(1, 2, (0, 1, 2)), Phrase(2, 3, (4,))], 3.0, "ten of clubs sir"),
        ([Phrase(0, 1, (3,)), Phrase(1, 2, (3,))], 2.0, "no no"),
        ([Phrase(0, None, (0, 1, 2, 0, 1, 2, 0, 1))], 1.0, "ten of clubs"),
        ([Phrase(0, 1, (0, 1, 2, 5))], 1.0, "ten of clubs"),
        ([], 1.0, ""),
    ],
    ids=[
        "past the end",
        "starts past the end",
        "two",
        "repeated phrase",
        "repeated word",
        "in circles",
        "half a character",
        "nothing",
    ],
)
def test_what_was_spoken(spoken: list[Phrase], seconds: float, text: str) -> None:
    assert spoken_text(spoken, seconds, decode) == text


@pytest.mark.parametrize(
    ("spoken", "until"),
    [
        ([Phrase(0, 2, (0,)), Phrase(2, 9.9, (1,))], None),
        ([Phrase(0, 2, (0,)), Phrase(2, None, (1,))], None),
        ([Phrase(0, 2, (0,)), Phrase(2.5, 4, (1,))], 4),
        ([Phrase(0, 2, (0,)), Phrase(11, 12, (1,))], 2),
    ],
    ids=["heard all", "cut off by its length", "stopped early", "goes on behind the end"],
)
def test_how_far_the_model_listened(spoken: list[Phrase], until: float | None) -> None:
    assert spoken_until(spoken, 10.0) == until


def test_what_is_left_of_a_passage_is_asked_about_if_somebody_speaks_in_it() -> None:
    samples = np.arange(10 * 16_000, dtype=np.int16)
    passage = Passage(samples, "en", "names", 5_000_000, voice=((0, 32_000), (40_000, 88_000)))
    rest = passage.after(3.0)
    assert rest is not None
    assert (rest.language, rest.prompt, rest.voiced_us) == ("en", "names", 2_500_000)
    assert rest.voice == ((0, 40_000),)
    assert np.array_equal(rest.samples, samples[48_000:])
    assert passage.after(5.0) is None  # half a second of voice is left: its end, heard already


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("大学生吃肯德基。大学生吃肯德基。大学生", "大学生吃肯德基。"),
        ("1-2-3-4-5-6. 1-2-3-4-", "1-2-3-4-5-6."),
        ("I said go home go home go home", "I said go home"),
        ("the more the better", "the more the better"),
        ("bye bye", "bye bye"),
        ("", ""),
    ],
)
def test_a_text_that_starts_over_is_cut_to_one_round(text: str, once: str) -> None:
    assert without_rounds(text) == once


@pytest.mark.parametrize(
    ("text", "confidence", "voiced_us", "invented"),
    [
        ("What is the weather?", SURE, 1_500_000, False),
        ("What is the weather?", Confidence(0.73, -0.5), 1_500_000, False),
        ("What is the weather?", UNSURE, 1_500_000, True),
        ("I'm sorry.", Confidence(0.7, -1.1), 1_500_000, True),
        ("I'm sorry.", Confidence(0.7, -0.8), 600_000, False),
        ("I'm sorry.", Confidence(0.7, -0.8), 200_000, True),
        ("I'm going to the next station.", Confidence(0.4, -0.97), 200_000, True),
        ("I'm going to the next station.", Confidence(0.4, -0.97), 1_500_000, False),
        ("A-A-A-A-", Confidence(0.78, -0.48), 200_000, True),
        ("No, no, no!", Confidence(0.5, -0.48), 300_000, False),
        ("Yes, please.", Confidence(0.4, -0.8), 200_000, False),
        ("you", Confidence(0.92, -0.7), 1_500_000, True),
        ("Thank you.", Confidence(0.5, -0.5), 300_000, False),
        ("Bye.", SURE, 200_000, False),
        ("Thanks for watching!", Confidence(0.4, -0.4), 2_000_000, True),
        ("Yes.", SURE, 150_000, False),
        ("Ha ha", Confidence(0.81, -0.45, looped=True), 1_500_000, True),
        ("One two three", Confidence(0.67, -0.56, looped=True), 1_500_000, False),
        ("la " * 60, SURE, 9_000_000, True),
    ],
)
def test_inventions_are_told_from_speech(
    text: str, confidence: Confidence, voiced_us: int, invented: bool
) -> None:
    assert is_invented(text, confidence, voiced_us) is invented
