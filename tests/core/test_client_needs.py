"""What real clients need of responses and items although no schema says so, each point by its name.
Client libraries are named where one depends on it."""

import itertools
from typing import Any

import msgspec
import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import InputText, MessageItem, OutputAudio
from dialtone.gateway.core.session import FunctionTool, SessionConfig
from dialtone.v1.turn_pb2 import Message, ToolCallDelta

from .harness import Rig

# Members that may be null; all others clients read without a look.
NULLABLE = {"transcript", "previous_item_id", "status_details", "usage", "metadata", "conversation_id"}
NULLABLE |= {"code", "param", "event_id", "temperature"}  # of errors; of beta, which fills it in


def user(text: str, item_id: str = "") -> MessageItem:
    return MessageItem(item_id, "user", [InputText(text)])


def a_call_with_everything() -> Rig:
    """A spoken answer with a tool call, one that is cut, one that fails, and one of text."""
    rig = Rig(SessionConfig(tools=[FunctionTool("look")]))
    ears = rig.listen()
    rig.voice_turn(ears)
    llm = rig.take("llm")
    llm.text("One moment please.")
    llm.say(tool_call=ToolCallDelta(index=0, call_id="a", name="look", arguments="{}"))
    llm.done()
    voice = rig.take("tts")
    voice.audio(0, 2000)
    voice.spoken()
    rig.now += 1
    rig.voice_turn(ears, "Wait.", number=2)
    rig.take("llm").text("One two three. And")
    rig.take("tts").audio(0, 500)
    ears.started(3, 9000)
    ears.stopped(3, 9100)
    ears.final(3, "")
    for modality in ("text", "audio"):
        options = ask.ResponseOptions(conversation="none", output_modalities=[modality])
        rig.feed(ask.CreateResponse(options=options))
        llm = rig.take("llm")
        llm.text("Hello. And")
        llm.failed("broken")
    return rig


def nulls(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [found for key, member in value.items() for found in nulls(member, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for member in value for found in nulls(member, path)]
    return [path] if value is None else []


def test_no_member_is_null_but_those_that_the_protocol_lets_be() -> None:
    for event in a_call_with_everything().sent:
        if isinstance(event, out.SessionCreated | out.TurnMetrics | out.SentenceSpoken):
            continue
        built = msgspec.to_builtins(event)
        assert {path.rpartition(".")[2] for path in nulls(built)} <= NULLABLE, built


def test_texts_begin_empty_and_lists_are_lists() -> None:
    """openai-realtime-api-beta appends to what it was given."""
    rig = a_call_with_everything()
    for opened in rig.of(out.ContentPartAdded):
        assert opened.part in (out.AudioPart(""), out.TextPart(""))
    for added in rig.of(out.OutputItemAdded):
        assert added.item.status == "in_progress"
        assert (added.item.content == []) if isinstance(added.item, MessageItem) else not added.item.arguments
    for created in rig.of(out.ResponseCreated):
        response = created.response
        assert (response.output, response.status, response.usage) == ([], "in_progress", None)
        assert response.status_details is None


def test_the_item_is_added_to_the_conversation_right_after_the_output_and_before_any_part_of_it() -> None:
    """openai-realtime-api-beta, pipecat and LiveKit look the item up at its first delta."""
    events = a_call_with_everything().sent
    beside = {
        e.response.id
        for e in events
        if isinstance(e, out.ResponseCreated) and e.response.conversation_id is None
    }
    seen = 0
    for event, after in itertools.pairwise(events):
        if isinstance(event, out.OutputItemAdded) and event.response_id not in beside:
            assert isinstance(after, out.ItemAdded)
            assert after.item.id == event.item.id
            seen += 1
    assert seen == 3


def test_function_calls_have_their_id_and_name_from_the_start_and_in_the_end() -> None:
    """openai-agents and LiveKit read them at different events; none of them may miss one."""
    rig = a_call_with_everything()
    (done,) = rig.of(out.FunctionArgumentsDone)
    calls = [e.item for e in rig.of(out.OutputItemAdded) if not isinstance(e.item, MessageItem)]
    calls += [e.item for e in rig.of(out.OutputItemDone) if not isinstance(e.item, MessageItem)]
    assert {(call.call_id, call.name) for call in calls} == {(done.call_id, done.name)} == {("a", "look")}


def test_a_response_has_one_message_with_one_part_named_text_or_audio() -> None:
    """LiveKit takes one message of each response."""
    rig = a_call_with_everything()
    parts = rig.of(out.ContentPartAdded)
    assert len({e.response_id for e in parts}) == len(parts) == 4
    names = [msgspec.to_builtins(e.part)["type"] for e in parts]
    assert names == ["audio", "audio", "text", "audio"]


def test_metadata_comes_back_as_it_was_given() -> None:
    """LiveKit finds its own responses by it."""
    rig = Rig()
    for metadata in ({"client_event_id": "response_create_1"}, {}, None):
        rig.feed(ask.CreateResponse(options=ask.ResponseOptions(metadata=metadata)))
        rig.feed(ask.CancelResponse())
        assert rig.of(out.ResponseCreated)[-1].response.metadata == metadata
        assert rig.of(out.ResponseDone)[-1].response.metadata == metadata


def test_a_refused_response_names_the_event_that_asked_for_it() -> None:
    """@openai/agents-realtime asks for no other response until it knows."""
    rig = Rig()
    rig.feed(ask.CreateResponse())
    rig.feed(ask.CreateResponse(event_id="agents_js_response_create_2"))
    assert rig.of(out.Error)[0].error.event_id == "agents_js_response_create_2"


def test_every_response_says_how_it_ended_and_what_it_used_in_integers() -> None:
    rig = a_call_with_everything()
    created = [e.response.id for e in rig.of(out.ResponseCreated)]
    done = [e.response for e in rig.of(out.ResponseDone)]
    assert sorted(created) == sorted(response.id for response in done)
    for response in done:
        figures = list(flat(msgspec.to_builtins(response.usage)))
        assert len(figures) == 12
        assert all(type(figure) is int for figure in figures)


def flat(value: Any) -> list[Any]:
    return [f for member in value.values() for f in flat(member)] if isinstance(value, dict) else [value]


def test_an_interrupted_answer_closes_its_parts_and_says_no_more() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    llm = rig.take("llm")
    llm.text("One two three. And")
    voice = rig.take("tts")
    voice.audio(0, 500)
    ears.started(2, 2000)
    before = len(rig.sent)
    assert rig.of(out.ContentPartDone)
    assert rig.of(out.ResponseDone)[0].response.status == "cancelled"
    voice.audio(500, 500)
    llm.text(" four.")
    assert len(rig.sent) == before


def test_cancelling_once_more_after_an_interruption_is_an_error_with_the_words_clients_know() -> None:
    """LiveKit ignores errors that begin like this; pipecat those of this code."""
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    ears.started(2, 2000)
    rig.feed(ask.CancelResponse())
    (error,) = rig.of(out.Error)
    assert error.error.message.startswith("Cancellation failed")
    assert error.error.code == "response_cancel_not_active"


def test_a_response_is_given_before_anything_was_said() -> None:
    """pipecat asks for one at the start of a call."""
    rig = Rig()
    rig.feed(ask.CreateResponse())
    rig.answer("Good morning.")
    assert rig.of(out.ResponseDone)[0].response.status == "completed"
    assert rig.work("llm")[0].turn.messages[-1].role == Message.ROLE_USER


@pytest.mark.parametrize("past_ms", [0, 1, 15, 5000])
def test_a_truncation_at_or_past_the_end_of_an_old_answer_is_no_error(past_ms: int) -> None:
    """pipecat truncates the last answer at each start of speech, though it was played long ago."""
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.answer("It is noon.")
    item_id = rig.of(out.ResponseDone)[0].response.output[0].id
    rig.wait(30)
    ears.started(2, 40_000)
    event = ask.TruncateItem(item_id=item_id, content_index=0, audio_end_ms=1000 + past_ms)
    rig.feed(event)
    assert not rig.errors()
    assert rig.of(out.ItemTruncated) == [out.ItemTruncated(item_id, 0, 1000)]
    item = rig.call._ctx.conversation.get(item_id)
    assert isinstance(item, MessageItem)
    assert item.content == [OutputAudio("It is noon.")]


def test_retrieving_after_a_truncation_shows_what_is_left() -> None:
    """@openai/agents-realtime does so each time."""
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.answer("It is noon now.")
    item_id = rig.of(out.ResponseDone)[0].response.output[0].id
    rig.feed(ask.TruncateItem(item_id=item_id, content_index=0, audio_end_ms=500))
    rig.feed(ask.RetrieveItem(item_id=item_id))
    (retrieved,) = rig.of(out.ItemRetrieved)
    assert retrieved.item.content == [OutputAudio("It is")]


def test_items_are_put_where_the_client_says_under_the_ids_it_chose() -> None:
    """LiveKit and @openai/agents-realtime write a history back that way."""
    rig = Rig()
    for item_id, after in (("b", None), ("a", "root"), ("c", "b"), ("ab", "a")):
        rig.feed(ask.CreateItem(item=user(item_id, item_id), previous_item_id=after))
    added = [(e.item.id, e.previous_item_id) for e in rig.of(out.ItemAdded)]
    assert added == [("b", None), ("a", None), ("c", "b"), ("ab", "a")]
    assert [(e.item.id, e.previous_item_id) for e in rig.of(out.ItemDone)] == added
    assert [item.id for item in rig.call._ctx.conversation] == ["a", "ab", "b", "c"]
    for item_id in ("a", "ab", "b", "c"):
        rig.feed(ask.DeleteItem(item_id=item_id))
    assert [e.item_id for e in rig.of(out.ItemDeleted)] == ["a", "ab", "b", "c"]
    assert not rig.errors()


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        (ask.CreateItem(item=user("hi", "there")), "item_create_duplicate_item_id", "item.id"),
        (
            ask.CreateItem(item=user("hi"), previous_item_id="gone"),
            "item_create_invalid_previous_item_id",
            "previous_item_id",
        ),
        (ask.RetrieveItem(item_id="gone"), "item_retrieve_invalid_item_id", "item_id"),
        (ask.DeleteItem(item_id="gone"), "item_delete_invalid_item_id", "item_id"),
        (
            ask.TruncateItem(item_id="gone", content_index=0, audio_end_ms=0),
            "item_truncate_invalid_item_id",
            "item_id",
        ),
    ],
)
def test_mistakes_about_items_have_the_codes_clients_know(
    event: ask.ClientEvent, code: str, param: str
) -> None:
    rig = Rig(items=[user("hi", "there")])
    event.event_id = "mine"
    rig.feed(event)
    error = rig.of(out.Error)[0].error
    assert error == out.ErrorDetail("invalid_request_error", code, error.message, param, "mine")
    assert [item.id for item in rig.call._ctx.conversation] == ["there"]
