"""Function calls: how they are told to the client, and what becomes of those it never answers."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.chat_messages import NO_RESULT, messages_of
from dialtone.gateway.core.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputText,
    Item,
    MessageItem,
    OutputText,
)
from dialtone.gateway.core.session import FunctionTool, SessionConfig
from dialtone.gateway.core.tool_calls import json_arguments
from dialtone.v1.turn_pb2 import Message, ToolCallDelta, TurnDone

from .harness import Rig, Worker

TOOLS = SessionConfig(output_modalities=["text"], tools=[FunctionTool("look")])


def user(text: str, item_id: str = "") -> MessageItem:
    return MessageItem(item_id, "user", [InputText(text)])


def called(worker: Worker, *calls: tuple[str, str, str]) -> None:
    """The model makes these calls, each an id, a name and its arguments, and has finished."""
    for index, (call_id, name, arguments) in enumerate(calls):
        worker.say(tool_call=ToolCallDelta(index=index, call_id=call_id, name=name))
        for char in arguments:
            worker.say(tool_call=ToolCallDelta(index=index, arguments=char))
    worker.done(TurnDone.FINISH_REASON_TOOL_CALLS)


def asked() -> tuple[Rig, Worker]:
    rig = Rig(TOOLS)
    rig.feed(ask.CreateItem(item=user("What is the weather?", "hi")))
    rig.feed(ask.CreateResponse())
    return rig, rig.take("llm")


def result(call_id: str, output: str) -> ask.CreateItem:
    return ask.CreateItem(event_id="mine", item=FunctionCallOutputItem("", call_id, output))


@pytest.mark.parametrize(
    ("session", "response", "told"),
    [(None, None, None), (False, None, False), (False, True, True), (True, False, False)],
)
def test_the_model_is_told_whether_it_may_call_at_once_by_the_response_or_else_the_session(
    session: bool | None, response: bool | None, told: bool | None
) -> None:
    rig = Rig(TOOLS)
    rig.feed(ask.UpdateSession(patch={"parallel_tool_calls": session}))
    rig.feed(ask.CreateResponse(options=ask.ResponseOptions(parallel_tool_calls=response)))
    turn = rig.work("llm")[-1].turn
    assert (turn.parallel_tool_calls if turn.HasField("parallel_tool_calls") else None) is told


def test_a_function_call_is_told_in_the_order_of_the_protocol() -> None:
    rig, llm = asked()
    before = len(rig.sent)
    called(llm, ("call_7", "look", '{"at": "sky"}'))
    assert rig.types()[before:] == [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response_id = rig.of(out.ResponseCreated)[0].response.id
    added = rig.of(out.OutputItemAdded)[0]
    assert (added.item.status, added.item.arguments, added.item.name) == ("in_progress", "", "look")
    assert rig.of(out.ItemAdded)[-1].previous_item_id == "hi"
    finished = rig.of(out.FunctionArgumentsDone)[0]
    assert (finished.name, finished.call_id, finished.arguments) == ("look", "call_7", '{"at": "sky"}')
    deltas = [event.delta for event in rig.of(out.FunctionArgumentsDelta)]
    assert "".join(deltas) == finished.arguments
    done = rig.of(out.OutputItemDone)[0]
    assert (done.response_id, done.output_index, done.item.status) == (response_id, 0, "completed")
    response = rig.of(out.ResponseDone)[0].response
    assert (response.status, response.output) == ("completed", [done.item])
    assert rig.stored()[done.item.id] == done.item


def test_a_message_and_several_calls_are_output_items_one_after_the_other() -> None:
    rig, llm = asked()
    llm.text("One moment.")
    called(llm, ("a", "look", "{}"), ("b", "look", "{}"), ("c", "listen", "{}"))
    opened: list[int] = []
    indexes = []
    for event in rig.sent:
        if isinstance(event, out.OutputItemAdded):
            assert not opened
            opened.append(event.output_index)
            indexes.append(event.output_index)
        elif isinstance(event, out.OutputItemDone):
            assert opened == [event.output_index]
            opened.clear()
    assert indexes == [0, 1, 2, 3]
    ids = [item.id for item in rig.of(out.ResponseDone)[0].response.output]
    assert [e.previous_item_id for e in rig.of(out.ItemAdded)] == [None, "hi", *ids[:-1]]


def test_a_spoken_message_is_said_to_its_end_before_its_calls_are_told() -> None:
    rig = Rig(SessionConfig(tools=[FunctionTool("look")]))
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("One moment please.")
    called(llm, ("a", "look", "{}"))
    assert not rig.of(out.FunctionArgumentsDone)
    rig.take("tts").spoken()
    message, call = rig.of(out.ResponseDone)[0].response.output
    assert isinstance(message, MessageItem)
    assert (message.status, call.name) == ("completed", "look")


def test_a_result_is_taken_while_a_response_is_active_and_answered_by_the_next() -> None:
    rig, llm = asked()
    llm.text("Well")
    rig.feed(ask.CreateItem(item=FunctionCallItem("f", "call_1", "look", "{}")))
    rig.feed(result("call_1", "rain"))
    assert not rig.errors()
    added = rig.of(out.ItemAdded)[-1]
    assert (added.item.output, added.previous_item_id) == ("rain", "f")


def test_a_result_of_no_call_is_an_error() -> None:
    rig, llm = asked()
    called(llm, ("call_1", "look", "{}"))
    rig.feed(result("call_2", "rain"))
    error = rig.of(out.Error)[0].error
    assert (error.code, error.param, error.event_id) == ("invalid_tool_call_id", "item.call_id", "mine")
    assert error.message == "Tool call ID 'call_2' not found in conversation."


def test_a_call_that_is_never_answered_holds_up_nothing() -> None:
    rig, llm = asked()
    called(llm, ("call_1", "look", "{}"))
    rig.feed(ask.CreateItem(item=user("Are you there?")))
    rig.feed(ask.CreateResponse())
    messages = rig.work("llm")[-1].turn.messages
    assert [m.role for m in messages] == [
        Message.ROLE_USER,
        Message.ROLE_ASSISTANT,
        Message.ROLE_TOOL,
        Message.ROLE_USER,
    ]
    assert (messages[2].tool_call_id, messages[2].text) == ("call_1", NO_RESULT)


def test_ids_of_calls_are_the_models_where_the_protocol_allows_them_and_never_two_the_same() -> None:
    rig, llm = asked()
    called(llm, ("call_0", "look", "{}"), ("call_0", "look", "{}"), ("x" * 40, "look", "{}"))
    ids = [item.call_id for item in rig.of(out.ResponseDone)[0].response.output]
    assert ids[0] == "call_0"
    rig.feed(ask.CreateResponse())
    called(rig.take("llm"), ("call_0", "look", "{}"))
    ids += [item.call_id for item in rig.of(out.ResponseDone)[1].response.output]
    assert len(set(ids)) == 4
    assert all(len(call_id) <= 32 for call_id in ids)


def test_calls_of_an_attempt_that_was_given_up_are_never_told() -> None:
    rig, llm = asked()
    llm.say(tool_call=ToolCallDelta(index=0, call_id="old", name="look", arguments="{}"))
    again = rig.claim(llm.work, attempt=llm.attempt + 1)
    called(again, ("new", "listen", "{}"))
    assert [e.call_id for e in rig.of(out.FunctionArgumentsDone)] == ["new"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", "{}"),
        ("null", "{}"),
        ('{"a": 1}', '{"a": 1}'),
        (' {"a": 1}\n', '{"a": 1}'),
        ('"{\\"a\\": 1}"', '{"a": 1}'),  # an object in a string: small models do that
        ("[1]", "[1]"),
        ('{"a": ', None),
        ("{'a': 1}", None),
        ('{"a": NaN}', None),
        ("look here", None),
        ("[" * 100_000, None),
    ],
)
def test_arguments_are_json_or_none(written: str, told: str | None) -> None:
    assert json_arguments(written) == told


@given(st.text())
def test_arguments_that_are_told_can_be_read(written: str) -> None:
    told = json_arguments(written)
    assert told is None or msgspec.json.decode(told) is not None


def test_a_call_with_broken_arguments_fails_the_response_and_is_never_told() -> None:
    rig, llm = asked()
    llm.text("One moment.")
    called(llm, ("a", "look", "{}"), ("b", "listen", '{"at": '))
    response = rig.of(out.ResponseDone)[0].response
    assert response.status == "failed"
    assert response.status_details.error.code == "invalid_tool_arguments"
    assert "listen" in response.status_details.error.message
    assert not rig.of(out.FunctionArgumentsDone)
    (message,) = response.output
    assert (message.status, message.content) == ("completed", [OutputText("One moment.")])


def test_a_call_that_was_cut_off_is_left_out_of_an_incomplete_response() -> None:
    rig, llm = asked()
    llm.say(tool_call=ToolCallDelta(index=0, call_id="a", name="look", arguments="{}"))
    llm.say(tool_call=ToolCallDelta(index=1, call_id="b", name="listen", arguments='{"at'))
    llm.done(TurnDone.FINISH_REASON_LENGTH)
    response = rig.of(out.ResponseDone)[0].response
    assert (response.status, response.status_details.reason) == ("incomplete", "max_output_tokens")
    assert [item.name for item in response.output] == ["look"]


def test_a_cancelled_response_tells_none_of_its_calls() -> None:
    rig, llm = asked()
    llm.say(tool_call=ToolCallDelta(index=0, call_id="a", name="look", arguments="{}"))
    rig.feed(ask.CancelResponse())
    assert rig.of(out.ResponseDone)[0].response.output == []
    assert not rig.of(out.FunctionArgumentsDone)


# --- as a chat API takes them ---

A = FunctionCallItem("fa", "a", "look", '{"at": "a"}')
B = FunctionCallItem("fb", "b", "look", '{"at": "b"}')
A_SAYS, B_SAYS = FunctionCallOutputItem("oa", "a", "A!"), FunctionCallOutputItem("ob", "b", "B!")
ASKS, SAYS = user("And?", "u"), MessageItem("s", "assistant", [OutputText("So.")])


def shown(items: list[Item]) -> str:
    """The messages in short: u, s; calls by their ids; results by their ids and texts."""
    words = []
    for m in messages_of(items):
        if m.role == Message.ROLE_TOOL:
            words.append(f"{m.tool_call_id}={m.text}")
        else:
            kind = {Message.ROLE_USER: "u", Message.ROLE_ASSISTANT: "s"}[m.role] if m.text else ""
            calls = ",".join(call.call_id for call in m.tool_calls)
            words.append(kind + (f"[{calls}]" if calls else ""))
    return " ".join(words)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([ASKS, A, A_SAYS], "u [a] a=A!"),
        ([ASKS, SAYS, A, A_SAYS, SAYS], "u s[a] a=A! s"),
        ([ASKS, A, B, A_SAYS, B_SAYS], "u [a,b] a=A! b=B!"),
        ([ASKS, A, B, B_SAYS, A_SAYS], "u [b,a] b=B! a=A!"),
        ([ASKS, A, A_SAYS, B, B_SAYS], "u [a] a=A! [b] b=B!"),
        # never answered
        ([ASKS, A, ASKS], "u [a] a=None u"),
        ([ASKS, A, B, ASKS], "u [a,b] a=None b=None u"),
        ([ASKS, A, B, A_SAYS, ASKS], "u [b,a] b=None a=A! u"),
        # answered late, after the talk went on: the call goes with its result
        ([ASKS, A, ASKS, A_SAYS], "u u [a] a=A!"),
        ([ASKS, A, ASKS, SAYS, A_SAYS], "u u s[a] a=A!"),
        ([ASKS, A, B, A_SAYS, ASKS, B_SAYS], "u [a] a=A! u [b] b=B!"),
        # out of order, twice, of nothing
        ([A_SAYS, ASKS, A], "u [a] a=A!"),
        ([ASKS, A, A_SAYS, FunctionCallOutputItem("oc", "a", "C!")], "u [a] a=C!"),
        ([ASKS, A, FunctionCallItem("fc", "a", "look", "{}"), A_SAYS], "u [a] a=A!"),
        ([ASKS, A_SAYS, SAYS], "u s"),
        # nothing heard of the message between
        ([ASKS, A, MessageItem("e", "assistant", [OutputText("")]), A_SAYS], "u [a] a=A!"),
    ],
)
def test_calls_and_results_stand_where_chat_apis_want_them(items: list[Item], expected: str) -> None:
    assert shown(items) == expected.replace("None", NO_RESULT)


@given(st.lists(st.sampled_from([ASKS, SAYS, A, B, A_SAYS, B_SAYS]), max_size=12))
def test_every_conversation_makes_a_chat_that_models_servers_take(items: list[Any]) -> None:
    messages = messages_of(items)
    open_calls: list[str] = []
    for message in messages:
        if message.role == Message.ROLE_TOOL:
            assert message.tool_call_id in open_calls
            open_calls.remove(message.tool_call_id)
        else:
            assert not open_calls
            open_calls = [call.call_id for call in message.tool_calls]
            assert message.text or message.tool_calls
    assert not open_calls
    every = [call.call_id for message in messages for call in message.tool_calls]
    assert len(every) == len(set(every)) == len({i.call_id for i in items if i in (A, B)})
    assert sum(bool(m.text) and m.role != Message.ROLE_TOOL for m in messages) == sum(
        i in (ASKS, SAYS) for i in items
    )


def test_arguments_that_a_client_brings_are_json_for_the_model() -> None:
    (message, _) = messages_of([FunctionCallItem("f", "c", "look", "over there")])
    assert message.tool_calls[0].arguments == '{"arguments":"over there"}'
    (message, _) = messages_of([FunctionCallItem("f", "c", "look", "")])
    assert message.tool_calls[0].arguments == "{}"
