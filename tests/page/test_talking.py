"""Calls from the page in a real browser, its microphone fed from recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialtone.local.state import StackState
from tests.fixtures.chat_server import ChatServer
from tests.fixtures.speech import recording, silence
from tests.page.browser import run_browser, write_wav


def test_a_call_from_the_first_word_to_the_last(stack: StackState, tmp_path: Path) -> None:
    """A spoken turn, speech over its answer, a reload, typing, settings, the keyboard, screen readers."""
    question, over = recording("en_weather_question").samples(), recording("en_goforward").samples()
    heard = write_wav(tmp_path / "two-turns.wav", silence(1), question, silence(4), over, silence(1))
    run_browser("talking.test.ts", GATEWAY=stack.url, MICROPHONE=heard)


def test_names_are_offered_and_the_user_ends_turns_and_calls(stack: StackState, tmp_path: Path) -> None:
    question = recording("en_weather_question").samples()
    heard = write_wav(tmp_path / "question.wav", silence(1), question, silence(1))
    run_browser("deciding.test.ts", GATEWAY=stack.url, MICROPHONE=heard)


@pytest.mark.models
def test_a_question_is_understood_and_answered_and_a_tool_is_called(
    real_stack: StackState, chat_server: ChatServer, tmp_path: Path
) -> None:
    del chat_server  # it is only to answer as it does by itself, whatever a test before had it do
    question = recording("en_weather_question").samples()
    heard = write_wav(tmp_path / "question.wav", silence(1), question, silence(1))
    speech = write_wav(
        tmp_path / "speech.wav", silence(1), recording("en_jfk").samples()[: 5 * 16_000], silence(2)
    )
    run_browser("understood.test.ts", GATEWAY=real_stack.url, MICROPHONE=heard, SPEECH=speech)
