"""Responses: their options, one at a time, and how they end."""

from typing import Any

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import (
    InputText,
    Item,
    MessageItem,
    OutputText,
)
from dialtone.gateway.core.session import (
    AudioFormat,
    FunctionChoice,
    FunctionTool,
    SessionConfig,
)
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCMU
from dialtone.v1.turn_pb2 import TurnDone

from .asking import MANUAL, asked, create, done, prompt, said, user, worker_of
from .harness import Rig

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


def test_a_session_whose_instructions_were_cleared_has_none() -> None:
    rig = asked()
    rig.feed(ask.UpdateSession(patch={"instructions": ""}))
    create(rig)
    assert prompt(rig) == [("user", "Hi there.")]


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
