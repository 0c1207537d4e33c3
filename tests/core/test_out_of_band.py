"""Responses beside the conversation, and what a response is given to answer instead of it."""

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    ItemReference,
    OutputText,
)

from .asking import MANUAL, asked, beside, create, done, prompt, said, user, worker_of
from .harness import Rig


def test_responses_beside_the_conversation_run_at_once_and_leave_it_as_it_is() -> None:
    rig = asked()
    default = create(rig)
    others = [beside(rig, metadata={"n": str(n)}, output_modalities=["text"]) for n in range(3)]
    sent = len(rig.sent)
    workers = [worker_of(rig, response_id) for response_id in (*others, default)]
    for step in ("One ", "two ", "three."):
        for worker in workers[:3]:
            worker.text(step)
    for worker in workers[:3]:
        worker.done()
    assert not [name for name in rig.types()[sent:] if name.startswith(("conversation.", "rate_limits."))]
    for number, response_id in enumerate(others):
        response = done(rig, response_id)
        assert (response.status, response.conversation_id) == ("completed", None)
        assert response.metadata == {"n": str(number)}
        assert said(response) == [OutputText("One two three.")]
    workers[3].text("Hello.")
    item = rig.of(out.ItemAdded)[-1].item
    assert [i.id for i in rig.call._ctx.conversation] == ["hi", item.id]
    ids = [e.response.conversation_id for e in rig.of(out.ResponseCreated)]
    assert ids == ["conv_sess_test", None, None, None]


def test_a_response_beside_the_conversation_sees_it_unless_it_has_input_of_its_own() -> None:
    rig = asked()
    beside(rig)
    assert prompt(rig)[1:] == [("user", "Hi there.")]
    beside(rig, input=[user("Is this spam?")])
    assert prompt(rig)[1:] == [("user", "Is this spam?")]
    beside(rig, input=[user("What of this?"), ItemReference("hi")])
    assert prompt(rig)[1:] == [("user", "What of this?"), ("user", "Hi there.")]


def test_speech_does_not_interrupt_a_response_beside_the_conversation() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    default = rig.of(out.ResponseCreated)[0].response.id
    other = beside(rig)
    ears.started(2, 2000)
    assert [e.response.id for e in rig.of(out.ResponseDone)] == [default]
    rig.feed(ask.CancelResponse(response_id=other))
    assert done(rig, other).status_details == out.StatusDetails("cancelled", "client_cancelled")


def test_cancelling_without_an_id_means_the_conversations_response() -> None:
    rig = asked()
    other, default = beside(rig), create(rig)
    rig.feed(ask.CancelResponse())
    assert [e.response.id for e in rig.of(out.ResponseDone)] == [default]
    rig.feed(ask.CancelResponse())
    assert rig.errors() == ["response_cancel_not_active"]
    rig.feed(ask.CancelResponse(response_id=other))
    rig.feed(ask.CancelResponse(response_id=other, event_id="mine"))
    error = rig.of(out.Error)[1].error
    assert (error.code, error.event_id) == ("response_cancel_not_active", "mine")
    assert error.message.startswith("Cancellation failed")


def test_only_so_many_responses_run_beside_the_conversation() -> None:
    rig = asked(limits=Limits(responses_beside=2))
    first = beside(rig)
    beside(rig)
    assert beside(rig) == ""
    error = rig.of(out.Error)[0].error
    assert (error.code, error.event_id) == ("too_many_active_responses", "mine")
    assert "response.create" in error.message
    assert create(rig)  # the conversation's is not one of them
    rig.feed(ask.CancelResponse(response_id=first))
    assert beside(rig)


def test_a_guess_is_not_given_up_for_a_response_beside_the_conversation() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(500)
    ears.candidate(1, "What time is it?")
    guess = rig.work("llm")[0]
    beside(rig, input=[user("Is this spam?")])
    ears.stopped(1, 400)
    ears.final(1, "What time is it?")
    assert guess.lease_id not in rig.cancelled()
    assert len(rig.work("llm")) == 2


# --- input by reference ---


def test_a_reference_to_an_unknown_item_is_refused_and_nothing_is_created() -> None:
    rig = asked()
    assert create(rig, input=[ItemReference("hi"), ItemReference("gone")]) == ""
    error = rig.of(out.Error)[0].error
    assert (error.code, error.param, error.event_id) == ("invalid_value", "response.input[1].id", "mine")
    assert not rig.work("llm")
    assert create(rig)


def test_what_is_said_by_a_referenced_item_is_waited_for() -> None:
    rig = Rig(MANUAL)
    ears = rig.listen()
    rig.speak(500)
    rig.feed(ask.CommitAudio())
    item_id = rig.of(out.InputCommitted)[0].item_id
    beside(rig, input=[ItemReference(item_id)])
    assert not rig.work("llm")
    ears.final(1, "Late words")
    assert prompt(rig)[1:] == [("user", "Late words")]


def test_a_referenced_item_that_is_deleted_before_its_turn_counts_as_it_was() -> None:
    rig = asked()
    ears = rig.listen()
    rig.speak(500)
    rig.feed(ask.CommitAudio())
    beside(rig, input=[ItemReference("hi")])
    rig.feed(ask.DeleteItem(item_id="hi"))
    ears.final(1, "Late words")
    assert prompt(rig)[1:] == [("user", "Hi there.")]


def test_a_result_in_a_responses_own_input_brings_its_call_along() -> None:
    rig = asked()
    rig.feed(ask.CreateItem(item=FunctionCallItem("f", "call_1", "look", "{}")))
    create(rig, input=[FunctionCallOutputItem("", "call_1", "rain")])
    turn = rig.work("llm")[0].turn
    assert [call.name for call in turn.messages[1].tool_calls] == ["look"]
    assert (turn.messages[2].tool_call_id, turn.messages[2].text) == ("call_1", "rain")
    rig.feed(ask.CancelResponse())
    assert create(rig, input=[FunctionCallOutputItem("", "call_2", "rain")]) == ""
    error = rig.of(out.Error)[0].error
    assert (error.code, error.param) == ("invalid_tool_call_id", "response.input[0].call_id")
