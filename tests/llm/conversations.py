"""Turns to answer, and the reading of answers."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from dialtone.bus import WorkError
from dialtone.llm.answer import Event
from dialtone.v1.turn_pb2 import LlmTurn, Message, TextDelta, ToolCallDelta, TurnDone

SYSTEM = "You are a friendly voice assistant on a call. Answer in one short spoken sentence."
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def turn(*texts: str, model: str = "m", system: str = SYSTEM, tools: tuple[str, ...] = ()) -> LlmTurn:
    """A turn whose texts are the user's and the assistant's by turns, the user first."""
    made = LlmTurn(response_id="resp_1", model=model)
    if system:
        made.messages.add(role=Message.ROLE_SYSTEM, text=system)
    for number, text in enumerate(texts):
        made.messages.add(role=Message.ROLE_ASSISTANT if number % 2 else Message.ROLE_USER, text=text)
    for name in tools:
        made.tools.add(name=name, description=name.replace("_", " "), parameters_json=json.dumps(CITY))
    return made


async def read(answer: AsyncGenerator[Event, None]) -> list[Event]:
    async with aclosing(answer) as events:
        return [event async for event in events]


async def read_until_failure(answer: AsyncGenerator[Event, None]) -> tuple[list[Event], WorkError]:
    """What came before the answer failed, and the failure."""
    events: list[Event] = []
    try:
        async with aclosing(answer):
            async for event in answer:
                events.append(event)
    except WorkError as failure:
        return events, failure
    raise AssertionError("the answer did not fail")


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def calls_of(events: list[Event]) -> list[tuple[str, str, str]]:
    """(call id, name, arguments) of each tool call, in order."""
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    assert [call.index for call in calls] == list(range(len(calls))), "every call comes whole, once"
    return [(call.call_id, call.name, call.arguments) for call in calls]


def done_of(events: list[Event]) -> TurnDone:
    """The TurnDone, which is the last event and the only one of its kind."""
    last = events[-1]
    assert isinstance(last, TurnDone)
    assert sum(isinstance(event, TurnDone) for event in events) == 1
    return last
