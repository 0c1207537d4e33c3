"""Whole calls on a model behind an API, which does what models do at times; and what is logged of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dialtone.local.call.recording import Recording
from dialtone.local.state import StackState
from tests.fixtures.chat_answers import Answer, Rule
from tests.fixtures.chat_server import ChatServer

from .caller import calling
from .voice_caller import VoiceCaller, new_session, voice_calling

pytestmark = pytest.mark.models

CANARY = "chrysanthemum"


def first_turn(text: str) -> Rule:
    """Answers the user's first turn with this.

    By a rule, for it may be asked more than once: on the guess that the user has finished, too, which on a
    busy machine is made before it is known to be wrong.
    """

    def rule(body: Mapping[str, Any]) -> Answer | None:
        turns = sum(message["role"] == "user" for message in body["messages"])
        return Answer(text, pace_s=0.0) if turns == 1 else None

    return rule


@asynccontextmanager
async def voice_caller(stack: StackState) -> AsyncIterator[VoiceCaller]:
    session = await new_session(stack.url, transcription={"language": "en"}, llm={"model": "chat"})
    async with voice_calling(stack.url, session["id"]) as caller:
        yield caller


async def test_a_model_that_answers_nothing_is_told_and_the_next_turn_is_answered(
    real_stack: StackState, chat_server: ChatServer, question: Recording
) -> None:
    chat_server.rules.insert(0, first_turn(""))
    async with voice_caller(real_stack) as caller:
        await caller.say(question, then_silence_s=1.0)
        error = await caller.error()
        assert error["code"] == 500
        assert error["msg"]
        await caller.say(question, then_silence_s=0.0)
        await caller.send(is_close=True)
        assert await caller.read_to_the_end() == 1000
    assert "".join(caller.sentences).startswith("You said something")
    assert caller.sound


async def test_an_answer_without_any_punctuation_is_spoken_whole_in_pieces(
    real_stack: StackState, chat_server: ChatServer, question: Recording
) -> None:
    text = " ".join(f"and then we went on to town number {n} without a stop" for n in range(1, 7))
    chat_server.rules.insert(0, first_turn(text))
    async with voice_caller(real_stack) as caller:
        await caller.say(question, then_silence_s=0.0)
        await caller.send(is_close=True)
        assert await caller.read_to_the_end() == 1000
    assert " ".join(" ".join(caller.sentences).split()) == text
    assert len(caller.sentences) > 1
    kinds = [isinstance(message, bytes) for message in caller.got]
    assert kinds[0]
    assert not kinds[-1]
    assert not any(not a and not b for a, b in pairwise(kinds)), "text without sound"


async def test_logs_name_the_call_and_hold_nothing_that_was_said(
    real_stack: StackState, real_stack_folder: Path, chat_server: ChatServer, question: Recording
) -> None:
    chat_server.rules.insert(0, lambda _: Answer(f"The {CANARY} is a flower."))
    async with calling(real_stack.url, model="chat") as caller:
        session_id = caller.of("session.created")[0].session.id
        await caller.connection.session.update(
            session={
                "type": "realtime",
                "instructions": f"Speak of the {CANARY} alone.",
                "audio": {"input": {"transcription": {"model": "whisper-1", "language": "en"}}},
            }
        )
        await caller.connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": CANARY}]}
        )
        async with caller.speaking(question):
            await caller.until("response.done")
    heard = caller.of("conversation.item.input_audio_transcription.completed")[0].transcript
    assert "France" in heard
    assert CANARY in caller.of("response.output_audio_transcript.done")[0].transcript
    logs = {path.stem: path.read_text() for path in (real_stack_folder / "logs").glob("*.log")}
    assert {"gateway", "vad-asr", "llm", "tts"} <= set(logs)
    assert [name for name, log in logs.items() if CANARY in log or "France" in log] == []
    for name in ("gateway", "vad-asr"):
        ours = [json.loads(line) for line in logs[name].splitlines() if session_id in line]
        assert ours, f"{name} does not log the session"
        assert all(entry["call_id"].startswith("call_") for entry in ours)
