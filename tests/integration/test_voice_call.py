"""Whole calls of the voice_call protocol."""

import io
import wave
from itertools import pairwise
from pathlib import Path

import pytest

from dialtone.local.call.recording import Recording
from dialtone.local.state import StackState
from tests.fixtures.stack import running

from .voice_caller import new_session, read_session, voice_calling


async def test_each_sentence_is_sound_and_then_its_text(stack: StackState, question: Recording) -> None:
    session = await new_session(stack.url)
    async with voice_calling(stack.url, session["id"]) as caller:
        await caller.say(question, then_silence_s=1.2)
        await caller.send(is_close=True)
        assert await caller.read_to_the_end() == 1000
    assert len(caller.sentences) >= 3
    kinds = ["sound" if isinstance(m, bytes) else m["type"] for m in caller.got]
    assert kinds[0] == "sound"
    assert kinds[-1] == "text"
    assert "text" not in [a for a, b in pairwise(kinds) if a == b], "text without sound"
    assert {m["code"] for m in caller.got if isinstance(m, dict)} == {200}


async def test_closing_finishes_what_is_said_recognised_and_answered(
    stack: StackState, question: Recording
) -> None:
    """The client closes right after its last word: the turn has not even ended yet."""
    session = await new_session(stack.url)
    async with voice_calling(stack.url, session["id"]) as caller:
        await caller.say(question, then_silence_s=0.0)
        await caller.send(is_close=True)
        assert await caller.read_to_the_end() == 1000
    assert caller.sentences
    stored = await read_session(stack.url, session["id"])
    assert [m["role"] for m in stored["messages"]] == ["user", "assistant"]


async def test_a_session_that_wants_wav_gets_a_playable_file_for_each_sentence(
    stack: StackState, question: Recording
) -> None:
    output = {"rate": 16_000, "container": "wav"}
    session = await new_session(stack.url, audio={"output": output})
    async with voice_calling(stack.url, session["id"]) as caller:
        await caller.say(question, then_silence_s=0.0)
        await caller.send(is_close=True)
        await caller.read_to_the_end()
    files = [m for m in caller.got if isinstance(m, bytes)]
    assert len(files) == len(caller.sentences)
    for file in files:
        with wave.open(io.BytesIO(file)) as sound:
            assert sound.getframerate() == 16_000
            assert sound.getnframes() > 1600


async def test_the_conversation_of_a_session_outlives_the_gateway(
    tmp_path: Path, question: Recording
) -> None:
    with running("simulated", tmp_path) as first:
        session = await new_session(first.url)
        async with voice_calling(first.url, session["id"]) as caller:
            await caller.say(question, then_silence_s=0.0)
            await caller.send(is_close=True)
            await caller.read_to_the_end()
    with running("simulated", tmp_path) as second:
        stored = await read_session(second.url, session["id"])
        assert [m["role"] for m in stored["messages"]] == ["user", "assistant"]
        async with voice_calling(second.url, session["id"]) as caller:
            await caller.say(question, then_silence_s=0.0)
            await caller.send(is_close=True)
            assert await caller.read_to_the_end() == 1000
        stored = await read_session(second.url, session["id"])
        assert [m["role"] for m in stored["messages"]] == ["user", "assistant"] * 2


async def test_an_unknown_session_is_told_as_404(stack: StackState) -> None:
    async with voice_calling(stack.url, "28445e6d-e8c1-46a6-b980-fbf39b918def") as caller:
        await caller.send(b"\0\0")
        assert (await caller.error())["code"] == 404


@pytest.mark.models
async def test_a_spoken_question_is_answered(real_stack: StackState, question: Recording) -> None:
    session = await new_session(real_stack.url, transcription={"language": "en"})
    async with voice_calling(real_stack.url, session["id"]) as caller:
        await caller.say(question, then_silence_s=0.0)
        await caller.send(is_close=True)
        assert await caller.read_to_the_end() == 1000
    assert "Paris" in " ".join(caller.sentences)
    stored = await read_session(real_stack.url, session["id"])
    assert "capital" in stored["messages"][0]["content"].lower()
