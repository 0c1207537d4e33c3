"""Where an utterance of Moshi's begins and ends, as tables of frames."""

from __future__ import annotations

import numpy as np
import pytest

from dialtone.llm.moshi.engine import FRAME, Said
from dialtone.llm.moshi.utterances import Begun, Mark, Over, Sound, Utterances, Words

PAUSE = 3
"""Frames of 240 ms."""


def _said(shown: str) -> Said:
    """`_` near silence, `^` loud, `0` no output yet; else a word in near silence."""
    level = 0.1 if shown == "^" else 0.001
    pcm = None if shown == "0" else np.full(FRAME, level, dtype=np.float32)
    word = shown not in "_^0"
    return Said(pcm, f" {shown}" if word else "", 7 if word else None)


def _shown(marks: list[Mark]) -> str:
    shown = ""
    for mark in marks:
        match mark:
            case Begun():
                shown += "["
            case Words(text):
                shown += text
            case Sound():
                shown += "~"
            case Over(tokens):
                shown += f"]{tokens}"
    return shown


def _marks(frames: str, pause_ms: int = 240) -> str:
    utterances = Utterances(-45.0, pause_ms)
    return _shown([mark for frame in frames for mark in utterances.step(_said(frame))])


@pytest.mark.parametrize(
    ("frames", "marks"),
    [
        ("0____", ""),
        ("0__^^___", "[~~~~~]0"),
        ("a___", "[a~~~~]1"),
        ("_a^b^___", "[a~~ b~~~~~]2"),  # the first word has no space before it
        ("^^a___", "[~~a~~~~]1"),
        ("a__b___", "[a~~~ b~~~~]2"),  # a pause that is too short
        ("a___b___", "[a~~~~]1[b~~~~]1"),
        ("a__^__^___", "[a~~~~~~~~~~]1"),  # sound without words goes on, too
        ("a___^___", "[a~~~~]1[~~~~]0"),
        ("^0^___", "[~~~~~]0"),
        ("a__", "[a~~~"),
    ],
)
def test_an_utterance_lasts_from_the_first_sound_or_word_to_a_pause(frames: str, marks: str) -> None:
    assert _marks(frames) == marks


@pytest.mark.parametrize(("pause_ms", "frames"), [(80, 1), (81, 2), (160, 2), (560, 7)])
def test_a_pause_is_whole_frames_rounded_up(pause_ms: int, frames: int) -> None:
    assert _marks("^" + "_" * 10, pause_ms) == "[~" + "~" * frames + "]0"


def test_the_end_of_the_call_ends_what_is_open_and_nothing_else() -> None:
    utterances = Utterances(-45.0, 240)
    assert _shown(list(utterances.end())) == ""
    list(utterances.step(_said("a")))
    assert utterances.open
    assert _shown(list(utterances.end())) == "]1"
    assert _shown(list(utterances.end())) == ""
    assert not utterances.open


@pytest.mark.parametrize(("dbfs", "voiced"), [(-41.0, False), (-39.0, True)])
def test_the_threshold_is_in_decibels_below_full_scale(dbfs: float, voiced: bool) -> None:
    level = 10 ** (dbfs / 20)
    pcm = np.full(FRAME, level, dtype=np.float32)
    assert bool(list(Utterances(-40.0, 240).step(Said(pcm, "", None)))) is voiced
