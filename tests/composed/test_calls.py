"""A call that was not one is told of, and what a caller may be told is not."""

from __future__ import annotations

import pytest

from dialtone.local.call.turn import Turn
from tests.composed.calls import Protocol, turn_problems

TOLD = "The service is not available; the call goes on as soon as it is."


def _turn(heard: str = "Hello?", first_sound: float | None = 1.0, error: str = "") -> Turn:
    return Turn(1, 24_000, heard=heard, first_sound=first_sound, errors=[error] if error else [])


@pytest.mark.parametrize(
    ("turn", "protocol"),
    [(_turn(), "realtime"), (_turn(error=TOLD), "realtime"), (_turn(heard=""), "voice_call")],
)
def test_a_turn_that_was_answered_is_right(turn: Turn, protocol: Protocol) -> None:
    assert turn_problems([turn], protocol) == []


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (_turn(heard=""), "not heard"),
        (_turn(first_sound=None), "no answer"),
        (_turn(error="the gateway ended the call"), "ended the call"),
    ],
)
def test_one_that_was_not_is_told_of(turn: Turn, words: str) -> None:
    (problem,) = turn_problems([turn], "realtime")
    assert words in problem
