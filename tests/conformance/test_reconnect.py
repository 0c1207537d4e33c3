"""Clients that lose their connection and come back (`?session_id=`)."""

from __future__ import annotations

import pytest
from openai.types.websocket_reconnection import ReconnectingEvent, ReconnectingOverrides
from websockets.exceptions import ConnectionClosed

from tests.conformance.answers import tells_a_story
from tests.conformance.caller import Caller, Server
from tests.conformance.dialect import Dialect, Ga, Setup
from tests.fixtures.chat_answers import TEXT
from tests.fixtures.chat_server import ChatServer

NUMBER = "Remember the number seven."


async def test_the_conversation_and_its_settings_are_there_again(
    server: Server, dialect: Dialect, chat_server: ChatServer
) -> None:
    async with server.calling(dialect) as caller:
        session = await caller.set_up(Setup(modality="text", instructions="Be brief."))
        answer = await caller.ask(NUMBER)
        caller.connection._connection.transport.abort()  # the network goes away
    async with server.calling(dialect, session_id=session.id) as caller:
        again = caller.events[0].session
        item = await caller.retrieve(answer.output[0].id)
        await caller.ask("Which number was it?")
    assert again.id == session.id
    assert again.instructions == "Be brief."
    assert item.content[0].text == TEXT
    said = [message["content"] for message in chat_server.seen[-1].body["messages"]]
    assert said == ["Be brief.", NUMBER, TEXT, "Which number was it?"]
    added = caller.of("conversation.item.added")[0]
    assert added.previous_item_id == answer.output[0].id
    assert not caller.errors()


async def test_an_answer_that_was_running_does_not_run_on(
    server: Server, dialect: Dialect, chat_server: ChatServer
) -> None:
    chat_server.rules.insert(0, tells_a_story)
    async with server.calling(dialect) as caller:
        session = await caller.set_up(Setup(modality="text"))
        await caller.say("Tell me a long story.")
        await caller.connection.response.create()
        await caller.until("response.output_text.delta")
        caller.connection._connection.transport.abort()
    async with server.calling(dialect, session_id=session.id) as caller:
        answer = await caller.ask("Hello")
        await chat_server.until_idle(5)
    assert answer.status == "completed"
    assert not caller.errors()


async def test_the_sdk_reconnects_by_itself_with_what_its_handler_says(
    server: Server, chat_server: ChatServer
) -> None:
    session_id = ""

    def goes_on(_event: ReconnectingEvent) -> ReconnectingOverrides:
        return {"extra_query": {"session_id": session_id}}

    async with (
        server.client() as client,
        Ga().connect(client, model="gpt-realtime", on_reconnecting=goes_on, initial_delay=0.01) as connection,
    ):
        caller = Caller(Ga(), connection)
        session_id = (await caller.next()).session.id
        await caller.set_up(Setup(modality="text"))
        await caller.ask(NUMBER)
        connection._connection.transport.abort()
        async for event in connection:
            if event.type == "session.created":
                assert event.session.id == session_id
                await caller.ask("Which number was it?")
                break
    assert NUMBER in [message["content"] for message in chat_server.seen[-1].body["messages"]]


async def test_a_session_goes_on_where_it_was_opened_last(server: Server, dialect: Dialect) -> None:
    async with server.calling(dialect) as before:
        session = before.events[0].session
        async with server.calling(dialect, session_id=session.id) as after:
            assert (await before.until("error")).error.code == "session_taken_over"
            with pytest.raises(ConnectionClosed) as closed:
                await before.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
            assert (await after.ask("Hello")).status == "completed"
