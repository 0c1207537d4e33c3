"""Whoever speaks over an answer is heard, whenever it is: no sound of it comes after that (F31).

And the conversation keeps no more of it than can have been heard by then.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any

import pytest

from dialtone.local.call.recording import Recording
from dialtone.tts.engines.simulated import CHARACTER_S
from tests.conformance.answers import STORY, tells_a_story
from tests.conformance.caller import Caller, Server
from tests.conformance.dialect import Ga, Setup
from tests.conformance.test_tools import WEATHER
from tests.fixtures.chat_server import ChatServer

LONGEST_S = 4.0  # of what is told; offsets go from its first chunk beyond its last
MOMENTS = ("at the first chunk", "after the last chunk", "in a tool call")
AFTER_S = 0.2  # that sound which was on its way may come after the user was heard
LATE_S = 2.0  # that a busy machine may take to bring the first sound; the story takes 14 s


@dataclass(frozen=True, slots=True)
class Outcome:
    moment: str
    late: list[float]  # seconds after the user was heard, of each piece of the answer that came then
    statuses: list[str]
    played_s: float  # from the first sound of the answer that was spoken over until then
    transcript: str  # of that answer, as the conversation keeps it


async def begin(caller: Caller, moment: str, rng: random.Random) -> tuple[str, float]:
    """Have something told up to the moment; the id of the response, and when its first sound came."""
    await caller.say("What is the weather in Paris?" if moment == MOMENTS[2] else "Tell me a long story.")
    await caller.connection.response.create()
    response_id: str = (await caller.until("response.created")).response.id
    if moment == "in a tool call":
        await caller.until("response.function_call_arguments.delta")
        return response_id, time.monotonic()
    await caller.until("response.output_audio.delta")
    began = time.monotonic()
    if moment == "after the last chunk":
        await caller.until("response.output_audio.done")
    if moment not in MOMENTS:
        await caller.listen(rng.uniform(0, LONGEST_S))
    return response_id, began


async def speak_over(caller: Caller, question: Recording, moment: str, rng: random.Random) -> Outcome:
    """One answer, spoken over, and the answer to what was said."""
    first = len(caller.events)
    told, began = await begin(caller, moment, rng)
    late = []
    async with caller.speaking(question):
        await caller.until("input_audio_buffer.speech_started")
        heard = time.monotonic()
        async with asyncio.timeout(30):
            while len(done := _done(caller.events[first:])) < 2:
                event = await caller.next()
                if getattr(event, "response_id", "") == told and event.type.endswith("audio.delta"):
                    late.append(time.monotonic() - heard)
    assert done[0].id == told
    spoken = [item for item in done[0].output if item.type == "message"]
    kept = [(await caller.retrieve(item.id)).content[0].transcript for item in spoken]
    statuses = [response.status for response in done]
    return Outcome(moment, late, statuses, heard - began, "".join(kept))


def _done(events: list[Any]) -> list[Any]:
    return [event.response for event in events if event.type == "response.done"]


async def one_call(server: Server, question: Recording, moments: list[str], seed: int) -> list[Outcome]:
    rng = random.Random(seed)
    async with server.calling(Ga()) as caller:
        await caller.set_up(Setup(tools=(WEATHER,), transcription={"model": "whisper-1"}))
        outcomes = [await speak_over(caller, question, moment, rng) for moment in moments]
        assert not caller.errors()
    return outcomes


@pytest.mark.parametrize(
    ("calls", "rounds"),
    [(6, 1), pytest.param(12, 17, marks=[pytest.mark.chaos, pytest.mark.timeout(900)])],
)
async def test_an_answer_that_is_spoken_over_at_any_moment_is_silent_at_once_and_the_next_is_given(
    server: Server, chat_server: ChatServer, question: Recording, calls: int, rounds: int
) -> None:
    chat_server.rules.insert(0, tells_a_story)
    moments = [*MOMENTS, *(f"random {number}" for number in range(calls * rounds - len(MOMENTS)))]
    shares = [moments[number::calls] for number in range(calls)]
    shared = await asyncio.gather(
        *(one_call(server, question, share, seed) for seed, share in enumerate(shares))
    )
    outcomes = [outcome for one in shared for outcome in one]
    assert len(outcomes) == calls * rounds
    for outcome in outcomes:
        assert [after for after in outcome.late if after > AFTER_S] == [], outcome
        assert outcome.statuses[0] in ("cancelled", "completed"), outcome
        assert outcome.statuses[1] == "completed", outcome
        assert STORY.startswith(outcome.transcript.strip()), outcome
        assert len(outcome.transcript) * CHARACTER_S < outcome.played_s + LATE_S, outcome
    assert any(outcome.statuses[0] == "cancelled" for outcome in outcomes)
    assert any(outcome.transcript for outcome in outcomes)
