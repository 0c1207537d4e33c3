"""Function calls by the `openai` SDK: there and back again."""

from __future__ import annotations

import json

from tests.conformance.caller import Caller, Server
from tests.conformance.dialect import Dialect, Setup
from tests.conformance.order import FUNCTION_CALL, USER_ITEM, WRITTEN_ANSWER, assert_order
from tests.fixtures.chat_server import ChatServer

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
SETUP = Setup(modality="text", tools=(WEATHER,))


async def give(caller: Caller, call_id: str, output: str) -> None:
    await caller.connection.conversation.item.create(
        item={"type": "function_call_output", "call_id": call_id, "output": output}
    )


async def test_a_call_of_a_function_and_its_result_make_an_answer(
    server: Server, dialect: Dialect, chat_server: ChatServer
) -> None:
    async with server.calling(dialect) as caller:
        session = await caller.set_up(SETUP)
        called = await caller.ask("What is the weather in Paris?")
        assert_order(caller, USER_ITEM, ["response.created"], FUNCTION_CALL, ["response.done"])
        before = len(caller.events)
        await give(caller, called.output[0].call_id, "18 degrees")
        await caller.connection.response.create()
        answer = (await caller.until("response.done")).response
    assert session.tools[0].name == "get_weather"
    (call,) = called.output
    assert (call.type, call.name, call.status) == ("function_call", "get_weather", "completed")
    assert json.loads(call.arguments) == {"city": "Paris"}
    assert caller.text("response.function_call_arguments.delta") == call.arguments
    added = caller.of("response.output_item.added")[0].item
    assert (added.name, added.arguments, added.status) == ("get_weather", "", "in_progress")
    done = caller.of("response.function_call_arguments.done")[0]
    assert (done.arguments, done.call_id, done.item_id) == (call.arguments, call.call_id, call.id)
    assert_order(caller, USER_ITEM, WRITTEN_ANSWER, events=caller.events[before:])
    assert answer.output[0].content[0].text == "I looked it up: 18 degrees."
    asked, answered = chat_server.seen[0].body, chat_server.seen[-1].body
    assert asked["tools"][0]["function"]["parameters"] == WEATHER["parameters"]
    assert [message["role"] for message in answered["messages"][-3:]] == ["user", "assistant", "tool"]
    assert not caller.errors()


async def test_calls_side_by_side_are_items_of_one_response(server: Server, dialect: Dialect) -> None:
    async with server.calling(dialect) as caller:
        await caller.set_up(SETUP)
        called = await caller.ask("What is the weather in Paris and in Tokyo?")
        assert_order(caller, USER_ITEM, ["response.created"], FUNCTION_CALL, FUNCTION_CALL, ["response.done"])
        for call in called.output:
            await give(caller, call.call_id, f"fine in {json.loads(call.arguments)['city']}")
        await caller.connection.response.create()
        answer = (await caller.until("response.done")).response
    assert [event.output_index for event in caller.of("response.output_item.added")][:2] == [0, 1]
    first, second = called.output
    assert first.call_id != second.call_id
    assert answer.output[0].content[0].text == "I looked it up: fine in Paris; fine in Tokyo."
    assert not caller.errors()


async def test_a_result_may_come_before_the_response_is_done(server: Server, dialect: Dialect) -> None:
    async with server.calling(dialect) as caller:
        await caller.set_up(SETUP)
        await caller.say("What is the weather in Rome?")
        await caller.connection.response.create()
        call = (await caller.until("response.output_item.done")).item
        await give(caller, call.call_id, "rain")
        await caller.until("response.done")
        await caller.connection.response.create()
        answer = (await caller.until("response.done")).response
    assert answer.output[0].content[0].text == "I looked it up: rain."
    assert not caller.errors()


async def test_the_result_of_an_unknown_call_is_refused_and_a_call_never_answered_holds_nothing_up(
    server: Server, dialect: Dialect
) -> None:
    async with server.calling(dialect) as caller:
        await caller.set_up(SETUP)
        await caller.ask("What is the weather in Rome?")
        await give(caller, "call_of_nobody", "rain")
        error = (await caller.until("error")).error
        answer = await caller.ask("Never mind. Hello!")
    assert error.code == "invalid_tool_call_id"
    assert answer.status == "completed"
    assert answer.output[0].content[0].text


async def test_a_response_may_bring_its_own_tools_and_choose_among_them(
    server: Server, dialect: Dialect
) -> None:
    async with server.calling(dialect) as caller:
        await caller.set_up(Setup(modality="text"))
        other = {**WEATHER, "name": "get_forecast"}
        choice = {"type": "function", "name": "get_forecast"}
        called = await caller.ask("Hello", tools=[WEATHER, other], tool_choice=choice)
        plain = await caller.ask("Hello")
    assert [item.name for item in called.output] == ["get_forecast"]
    assert plain.output[0].type == "message"
    assert not caller.errors()
