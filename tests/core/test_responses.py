"""Responses: their options, those beside the conversation, and how they end."""

from typing import Any

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.items import (
    Content,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputText,
    Item,
    ItemReference,
    MessageItem,
    OutputText,
)
from dialtone.gateway.core.session import (
    Audio,
    AudioFormat,
    AudioInput,
    FunctionChoice,
    FunctionTool,
    SessionConfig,
)
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCMU
from dialtone.v1.turn_pb2 import Message, TurnDone

from .harness import Rig, Worker

MANUAL = SessionConfig(
    instructions="Be brief.",
    tools=[FunctionTool("look")],
    audio=Audio(input=AudioInput(turn_detection=None)),
)


def user(text: str, item_id: str = "") -> MessageItem:
    return MessageItem(item_id, "user", [InputText(text)])


def asked(config: SessionConfig = MANUAL, limits: Limits | None = None) -> Rig:
    rig = Rig(config, limits=limits)
    rig.feed(ask.CreateItem(item=user("Hi there.", "hi")))
    return rig


def create(rig: Rig, **options: Any) -> str:
    """Ask for a response; its id, or nothing if it was refused."""
    before = len(rig.of(out.ResponseCreated))
    rig.feed(ask.CreateResponse(event_id="mine", options=ask.ResponseOptions(**options)))
    return "".join(event.response.id for event in rig.of(out.ResponseCreated)[before:])


def beside(rig: Rig, **options: Any) -> str:
    return create(rig, conversation="none", **options)


def worker_of(rig: Rig, response_id: str) -> Worker:
    return rig.claim(next(w for w in rig.work("llm") if w.turn.response_id == response_id))


def done(rig: Rig, response_id: str) -> out.Response:
    found = [e.response for e in rig.of(out.ResponseDone) if e.response.id == response_id]
    assert len(found) == 1
    response: out.Response = found[0]
    return response


def said(response: out.Response) -> list[Content]:
    (item,) = response.output
    assert isinstance(item, MessageItem)
    return item.content


def prompt(rig: Rig) -> list[tuple[str, str]]:
    names = {Message.ROLE_SYSTEM: "system", Message.ROLE_USER: "user", Message.ROLE_ASSISTANT: "assistant"}
    return [(names.get(m.role, "tool"), m.text) for m in rig.work("llm")[-1].turn.messages]


# --- options of one response ---


def test_every_option_of_a_response_goes_before_the_sessions_and_for_it_alone() -> None:
    rig = asked()
    mulaw = AudioFormat("audio/pcmu")
    response_id = create(
        rig,
        instructions="Sing.",
        voice="verse",
        output_format=mulaw,
        tools=[FunctionTool("dance")],
        tool_choice=FunctionChoice("dance"),
        max_output_tokens=77,
        temperature=0.5,
        metadata={"a": "b"},
        parallel_tool_calls=False,
    )
    turn = rig.work("llm")[0].turn
    assert prompt(rig) == [("system", "Sing."), ("user", "Hi there.")]
    assert ([tool.name for tool in turn.tools], turn.tool_choice) == (["dance"], "function:dance")
    assert (turn.max_output_tokens, turn.temperature, turn.parallel_tool_calls) == (77, 0.5, False)
    created = rig.of(out.ResponseCreated)[0].response
    assert created.audio.output == out.ResponseAudioOutput(mulaw, "verse")
    assert (created.max_output_tokens, created.metadata) == (77, {"a": "b"})
    llm = worker_of(rig, response_id)
    llm.text("La la la. ")
    llm.done()
    sentence = rig.work("tts")[0].sentence
    assert sentence.voice.name == "verse"
    assert (sentence.format.encoding, sentence.format.sample_rate) == (AUDIO_ENCODING_PCMU, 8000)
    rig.take("tts").spoken()
    assert done(rig, response_id).metadata == {"a": "b"}
    create(rig)
    turn = rig.work("llm")[1].turn
    assert turn.messages[0].text == "Be brief."
    assert ([tool.name for tool in turn.tools], turn.tool_choice) == (["look"], "auto")
    assert not turn.HasField("max_output_tokens")
    assert not turn.HasField("parallel_tool_calls")


@pytest.mark.parametrize(
    ("instructions", "told"), [(None, "Be brief."), ("", None), ("Sing.", "Sing.")], ids=["none", "", "own"]
)
def test_empty_instructions_of_a_response_are_none(instructions: str | None, told: str | None) -> None:
    rig = asked()
    create(rig, instructions=instructions)
    assert [text for role, text in prompt(rig) if role == "system"] == ([told] if told else [])


@pytest.mark.parametrize("choice", ["none", "required", "auto"])
def test_the_model_is_told_how_to_choose_tools(choice: str) -> None:
    rig = asked()
    create(rig, tool_choice=choice)
    assert rig.work("llm")[0].turn.tool_choice == choice


def test_no_tools_can_be_given_to_one_response() -> None:
    rig = asked()
    create(rig, tools=[])
    assert not rig.work("llm")[0].turn.tools


def test_a_text_response_in_a_session_of_audio_and_the_other_way_round() -> None:
    rig = asked()
    response_id = create(rig, output_modalities=["text"])
    llm = worker_of(rig, response_id)
    llm.text("Hello ")
    llm.text("you.")
    llm.done()
    assert rig.types()[3:] == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    assert rig.of(out.OutputTextDone)[0].text == "Hello you."
    assert said(done(rig, response_id)) == [OutputText("Hello you.")]
    assert not rig.work("tts")
    rig = asked(SessionConfig(output_modalities=["text"]))
    worker_of(rig, create(rig, output_modalities=["audio"])).text("Hello you. And")
    assert rig.work("tts")


# --- one at a time ---


def test_a_second_response_to_the_conversation_is_refused_with_the_clients_event_id() -> None:
    rig = asked()
    first = create(rig)
    assert create(rig) == ""
    error = rig.of(out.Error)[0].error
    assert error.code == "conversation_already_has_active_response"
    assert first in error.message
    assert (error.type, error.event_id) == ("invalid_request_error", "mine")
    worker_of(rig, first).text("Hello. And")
    assert rig.of(out.OutputItemAdded)[0].response_id == first


def test_a_turn_by_voice_that_ends_during_a_response_the_client_asked_for_is_answered_after_it() -> None:
    """A client that creates its first response while the user is speaking already."""
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.feed(ask.CreateItem(item=user("The story so far.")))
    first = create(rig)
    rig.speak(500)
    ears.stopped(1, 400)
    ears.final(1, "Hello?")
    assert not rig.errors()
    assert len(rig.of(out.ResponseCreated)) == 1
    rig.answer("Well then.")
    assert done(rig, first).status == "completed"
    assert len(rig.of(out.ResponseCreated)) == 2
    # It stands before the answer that was given meanwhile, and is what is asked now.
    asked_for = [("user", "The story so far."), ("assistant", "Well then."), ("user", "Hello?")]
    assert prompt(rig) == asked_for


# --- nothing to answer ---


@pytest.mark.parametrize(
    ("items", "options", "asked_for"),
    [
        ([], {}, [("system", "Be brief."), ("user", "Hello.")]),
        ([], {"instructions": "Greet them."}, [("system", "Greet them."), ("user", "Please go ahead.")]),
        (
            [MessageItem("s", "system", [InputText("It rains.")])],
            {},
            [("system", "Be brief."), ("system", "It rains."), ("user", "Hello.")],
        ),
        (
            [user("Hi"), MessageItem("a", "assistant", [OutputText("Hello.")])],
            {},
            [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello."), ("user", "Please go ahead.")],
        ),
        ([user("Hi")], {"input": []}, [("system", "Be brief."), ("user", "Hello.")]),
    ],
)
def test_a_model_always_has_something_to_answer(
    items: list[Item], options: dict[str, Any], asked_for: list[tuple[str, str]]
) -> None:
    rig = Rig(MANUAL)
    for item in items:
        rig.feed(ask.CreateItem(item=item))
    create(rig, **options)
    assert not rig.errors()
    assert prompt(rig) == asked_for


# --- beside the conversation ---


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


# --- endings ---


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (TurnDone.FINISH_REASON_LENGTH, "max_output_tokens"),
        (TurnDone.FINISH_REASON_CONTENT_FILTER, "content_filter"),
    ],
)
def test_an_answer_that_was_cut_off_is_incomplete_and_says_why(
    reason: TurnDone.FinishReason, told: str
) -> None:
    rig = asked()
    response_id = create(rig, output_modalities=["text"])
    llm = worker_of(rig, response_id)
    llm.text("Well, it")
    llm.done(reason)
    response = done(rig, response_id)
    assert response.status == "incomplete"
    assert response.status_details == out.StatusDetails("incomplete", told)
    assert response.output[0].status == "incomplete"


def test_a_model_that_thinks_until_it_is_cut_off_leaves_an_incomplete_response_without_output() -> None:
    rig = asked()
    response_id = create(rig)
    worker_of(rig, response_id).done(TurnDone.FINISH_REASON_LENGTH)
    assert (done(rig, response_id).status, done(rig, response_id).output) == ("incomplete", [])


@pytest.mark.parametrize("modality", ["audio", "text"])
@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_a_response_that_is_broken_off_closes_what_it_opened_and_says_no_more(
    modality: str, end: str
) -> None:
    rig = asked()
    response_id = create(rig, output_modalities=[modality])
    llm = worker_of(rig, response_id)
    llm.text("Hello you. And")
    rig.effects.clear()
    if end == "cancelled":
        rig.feed(ask.CancelResponse(response_id=response_id))
    else:
        llm.failed("broken")
    kinds = {
        "audio": ["response.output_audio.done", "response.output_audio_transcript.done"],
        "text": ["response.output_text.done"],
    }
    assert rig.types() == [
        *kinds[modality],
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = done(rig, response_id)
    assert (response.status, response.output[0].status) == (end, "incomplete")
    if end == "failed":
        error = out.StatusError("server_error", "broken", "broken")
        assert response.status_details == out.StatusDetails("failed", error=error)
    rig.effects.clear()
    llm.text("more")
    llm.done()
    assert not rig.effects
