"""Responses beside the conversation (`conversation: "none"`) by the `openai` SDK."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance.answers import STORY, tells_a_story
from tests.conformance.caller import Caller, Server
from tests.conformance.dialect import Dialect, Setup
from tests.conformance.order import WRITTEN_ANSWER, assert_order
from tests.fixtures.chat_answers import TEXT
from tests.fixtures.chat_server import ChatServer

CLASSIFY = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Classify this."}]}


async def create_beside(caller: Caller, topic: str, **response: Any) -> None:
    await caller.connection.response.create(
        response=caller.dialect.response("text", conversation="none", metadata={"topic": topic}, **response)
    )


async def test_it_leaves_the_conversation_alone_and_answers_its_own_input(
    server: Server, dialect: Dialect, chat_server: ChatServer
) -> None:
    async with server.calling(dialect) as caller:
        await caller.set_up(Setup(modality="text"))
        await caller.ask("Remember the number seven.")
        before = len(caller.events)
        await create_beside(caller, "support", input=[CLASSIFY], instructions="You classify.")
        done = (await caller.until("response.done")).response
        beside = caller.events[before:]
        await caller.ask("Hello again")
    in_it = [kind for kind in WRITTEN_ANSWER if not kind.startswith("conversation.")]
    assert_order(caller, in_it, events=beside)
    created = next(event.response for event in beside if event.type == "response.created")
    assert created.metadata == done.metadata == {"topic": "support"}
    assert created.conversation_id is None
    assert done.output[0].content[0].text == TEXT
    seen = [[(m["role"], m["content"]) for m in request.body["messages"]] for request in chat_server.seen]
    assert seen[1] == [("system", "You classify."), ("user", "Classify this.")]
    assert ("user", "Classify this.") not in seen[2]
    assert ("user", "Remember the number seven.") in seen[2]
    assert not caller.errors()


async def test_without_an_input_it_sees_the_conversation(
    server: Server, dialect: Dialect, chat_server: ChatServer
) -> None:
    async with server.calling(dialect) as caller:
        await caller.set_up(Setup(modality="text"))
        await caller.ask("Remember the number seven.")
        await create_beside(caller, "summary", instructions="Summarise.")
        await caller.until("response.done")
    said = [message["content"] for message in chat_server.seen[-1].body["messages"]]
    assert said[:3] == ["Summarise.", "Remember the number seven.", TEXT]


async def test_several_run_beside_the_default_response_and_each_can_be_cancelled(
    server: Server, dialect: Dialect, chat_server: ChatServer
) -> None:
    chat_server.rules.insert(0, tells_a_story)
    story = {**CLASSIFY, "content": [{"type": "input_text", "text": "A story."}]}
    async with server.calling(dialect) as caller:
        await caller.set_up(Setup(modality="text"))
        await caller.say("Tell me a long story.")
        await caller.connection.response.create()
        await caller.until("response.output_text.delta")
        for topic in ("first", "second"):
            await create_beside(caller, topic, input=[story])
        async with asyncio.timeout(10):
            while len(caller.of("response.created")) < 3:
                await caller.next()
        first = caller.of("response.created")[1].response
        await caller.connection.response.cancel(response_id=first.id)
        for _ in range(3):
            await caller.until("response.done")
        answers = {event.response.id: event.response for event in caller.of("response.done")}
    default, first, second = (answers[event.response.id] for event in caller.of("response.created"))
    assert (first.metadata, first.status) == ({"topic": "first"}, "cancelled")
    assert (second.metadata, second.status) == ({"topic": "second"}, "completed")
    assert default.status == "completed"
    assert default.output[0].content[0].text == second.output[0].content[0].text == STORY
    assert not caller.errors()


async def test_a_second_default_response_is_refused_with_the_id_of_its_event(
    server: Server, dialect: Dialect, chat_server: ChatServer
) -> None:
    chat_server.rules.insert(0, tells_a_story)
    async with server.calling(dialect) as caller:
        await caller.set_up(Setup(modality="text"))
        await caller.say("Tell me a long story.")
        await caller.connection.response.create()
        active = (await caller.until("response.created")).response
        await caller.connection.response.create(event_id="one-too-many")
        error = (await caller.until("error")).error
        done = (await caller.until("response.done")).response
    assert error.code == "conversation_already_has_active_response"
    assert error.event_id == "one-too-many"
    assert active.id in error.message
    assert done.status == "completed"
