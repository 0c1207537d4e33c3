"""What a conversation may hold, what of it a model is told, and when its voice is settled."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.conversation import Conversation, size_of
from dialtone.gateway.core.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputImage,
    InputText,
    MessageItem,
    OutputText,
)
from dialtone.gateway.core.prompt_size import fit
from dialtone.gateway.core.session import SessionConfig
from dialtone.v1.turn_pb2 import LlmTurn, Message, ToolCall

from .harness import Rig

PNG = "data:image/png;base64,AAAA"
TEXT = SessionConfig(output_modalities=["text"], instructions="Be brief.")


def user(text: str, item_id: str = "") -> MessageItem:
    return MessageItem(item_id, "user", [InputText(text)])


def put(rig: Rig, item: MessageItem) -> str | None:
    """Create an item; the error's code, if there is one."""
    before = len(rig.errors())
    rig.feed(ask.CreateItem(event_id="mine", item=item))
    return next(iter(rig.errors()[before:]), None)


def test_items_beyond_a_conversations_bound_are_refused_until_some_are_deleted() -> None:
    rig = Rig(limits=Limits(conversation_items=3))
    assert [put(rig, user("hi", name)) for name in "abcd"] == [None, None, None, "conversation_too_large"]
    error = rig.of(out.Error)[0].error
    assert (error.param, error.event_id) == ("item", "mine")
    rig.feed(ask.DeleteItem(item_id="a"))
    assert put(rig, user("hi", "d")) is None


def test_text_and_images_beyond_a_conversations_bound_are_refused() -> None:
    rig = Rig(limits=Limits(conversation_bytes=1000))
    assert put(rig, user("x" * 600, "a")) is None
    image = MessageItem("", "user", [InputImage("data:image/png;base64," + "A" * 400)])
    assert put(rig, image) == "conversation_too_large"
    assert put(rig, user("y" * 400)) is None
    rig.feed(ask.DeleteItem(item_id="a"))
    assert put(rig, image) is None


def test_what_is_said_in_a_full_conversation_is_answered_all_the_same() -> None:
    rig = Rig(limits=Limits(conversation_items=1))
    put(rig, user("hi"))
    rig.voice_turn(rig.listen())
    rig.answer("Noon.")
    assert rig.of(out.ResponseDone)[0].response.status == "completed"


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=9), st.sampled_from("irx")), max_size=30))
def test_a_conversation_knows_its_size(steps: list[tuple[int, str, str]]) -> None:
    conversation = Conversation([])
    for number, text, what in steps:
        item = user(text, str(number))
        if item.id not in conversation:
            conversation.append(item)
        elif what == "r":
            conversation.replace(item)
        elif what == "x":
            conversation.remove(item.id)
    assert conversation.size == sum(map(size_of, conversation))


# --- what a model is told ---


def test_of_a_long_conversation_the_model_is_told_the_end_and_the_instructions() -> None:
    rig = Rig(TEXT, limits=Limits(prompt_bytes=3000))
    for number in range(60):
        put(rig, user(f"Question {number}: " + "x" * 100))
        put(rig, MessageItem("", "assistant", [OutputText(f"Answer {number}.")]))
        put(rig, user("And?"))
        rig.feed(ask.CreateResponse())
        turn = rig.work("llm")[-1].turn
        assert turn.ByteSize() <= 3000
        assert turn.messages[0].text == "Be brief."
        assert turn.messages[1].role == Message.ROLE_USER
        assert turn.messages[-1].text == "And?"
        rig.feed(ask.CancelResponse())
    assert not rig.errors()
    assert {e.response.status for e in rig.of(out.ResponseDone)} == {"cancelled"}


@pytest.mark.parametrize(
    ("truncation", "text"), [("disabled", "x" * 100), ("auto", "x" * 4000)], ids=["not allowed", "in vain"]
)
def test_where_the_prompt_cannot_be_shortened_the_response_fails_and_says_so(
    truncation: str, text: str
) -> None:
    rig = Rig(limits=Limits(prompt_bytes=3000))
    rig.feed(ask.UpdateSession(patch={"truncation": truncation, "output_modalities": ["text"]}))
    for _ in range(40):
        put(rig, user(text))
    rig.feed(ask.CreateResponse())
    response = rig.of(out.ResponseDone)[0].response
    assert response.status == "failed"
    assert response.status_details.error.code == "context_length_exceeded"
    assert response.status_details.error.type == "invalid_request_error"
    assert not rig.work("llm")
    assert rig.call._answers.idle


@pytest.mark.parametrize(("truncation", "disabled"), [("disabled", True), ("auto", False)])
def test_the_model_too_is_told_whether_the_conversation_may_be_cut(truncation: str, disabled: bool) -> None:
    rig = Rig(TEXT)
    rig.feed(ask.UpdateSession(patch={"truncation": truncation}))
    put(rig, user("Hi."))
    rig.feed(ask.CreateResponse())
    assert rig.work("llm")[0].turn.truncation_disabled == disabled
    rig.take("llm").failed("context_length_exceeded")
    [done] = rig.of(out.ResponseDone)
    error = done.response.status_details.error
    assert (error.type, error.code) == ("invalid_request_error", "context_length_exceeded")


def test_the_model_is_told_how_closely_to_look_at_an_image() -> None:
    rig = Rig(TEXT)
    looked_at = [InputImage(PNG, "high"), InputImage(PNG, "low"), InputImage(PNG)]
    put(rig, MessageItem("", "user", [InputText("Same?"), *looked_at]))
    rig.feed(ask.CreateResponse())
    images = rig.work("llm")[0].turn.messages[-1].images
    assert [(image.url, image.detail) for image in images] == [(PNG, "high"), (PNG, "low"), (PNG, "")]


def test_no_guess_is_made_at_what_is_too_long() -> None:
    rig = Rig(limits=Limits(prompt_bytes=100))
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(500)
    ears.candidate(1, "x" * 200)
    assert not rig.work("llm")


def turn_of(turns: int, size: int, *, calls: int = 0) -> LlmTurn:
    """Turns of a user's message, so many calls of tools, and an answer; all of them of this size."""
    turn = LlmTurn(response_id="r", model="m")
    turn.messages.add(role=Message.ROLE_SYSTEM, text="s" * size)
    for number in range(turns):
        turn.messages.add(role=Message.ROLE_USER, text=f"{number} " + "u" * size)
        for _ in range(calls):
            call = ToolCall(call_id="c", name="look", arguments="{}")
            turn.messages.add(role=Message.ROLE_ASSISTANT, text="c" * size, tool_calls=[call])
            turn.messages.add(role=Message.ROLE_TOOL, text="t" * size, tool_call_id="c")
        if number < turns - 1:
            turn.messages.add(role=Message.ROLE_ASSISTANT, text="a" * size)
    return turn


@given(
    st.integers(1, 30),
    st.integers(0, 300),
    st.integers(0, 3),
    st.integers(1, 12_000),
    st.sampled_from(["auto", {"type": "retention_ratio", "retention_ratio": 0.5}]),
)
def test_a_prompt_that_is_cut_fits_and_is_still_a_conversation(
    turns: int, size: int, calls: int, room: int, truncation: object
) -> None:
    turn = turn_of(turns, size, calls=calls)
    before = list(turn.messages)
    if not fit(turn, room, truncation):
        assert list(turn.messages) == before
        return
    after = list(turn.messages)
    assert turn.ByteSize() <= room
    assert after[0] == before[0]
    assert after[1].role == Message.ROLE_USER
    assert after[-1] == before[-1]
    for at, message in enumerate(after):
        if message.tool_calls:
            assert after[at + 1].role == Message.ROLE_TOOL
        if message.role == Message.ROLE_TOOL:
            assert after[at - 1].tool_calls


def test_between_two_cuts_a_prompt_keeps_its_beginning() -> None:
    firsts = []
    for turns in range(10, 200):
        turn = turn_of(turns, 100)
        assert fit(turn, 4000, "auto")
        firsts.append(turn.messages[1].text)
    changes = sum(a != b for a, b in itertools.pairwise(firsts))
    assert changes < len(firsts) / 3


def test_a_ratio_says_how_much_is_left_after_a_cut() -> None:
    sizes = []
    for ratio in (0.2, 0.9):
        turn = turn_of(20, 100)
        assert fit(turn, 4000, {"type": "retention_ratio", "retention_ratio": ratio})
        sizes.append(turn.ByteSize())
    assert sizes[0] < 1500 < 3200 < sizes[1] <= 4000


# --- the voice ---


def set_voice(rig: Rig, voice: str) -> None:
    rig.feed(
        ask.UpdateSession(
            event_id="mine", patch={"instructions": voice, "audio": {"output": {"voice": voice}}}
        )
    )


def test_once_an_answer_was_spoken_the_voice_stays_and_the_rest_of_an_update_is_applied() -> None:
    rig = Rig()
    set_voice(rig, "verse")
    assert not rig.errors()
    rig.voice_turn(rig.listen())
    rig.take("llm").text("Hello you. And")
    set_voice(rig, "echo")
    error = rig.of(out.Error)[0].error
    assert (error.code, error.param) == ("cannot_update_voice", "session.audio.output.voice")
    assert (error.type, error.event_id) == ("invalid_request_error", "mine")
    config = rig.of(out.SessionUpdated)[-1].config
    assert (config.audio.output.voice, config.instructions) == ("verse", "echo")
    rig.feed(ask.CancelResponse())
    set_voice(rig, "echo")
    set_voice(rig, "verse")  # the same one
    assert rig.errors() == ["cannot_update_voice"] * 2


def test_the_voice_is_free_again_when_no_spoken_answer_is_left() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.answer("Noon.")
    rig.feed(ask.DeleteItem(item_id=rig.of(out.ResponseDone)[0].response.output[0].id))
    set_voice(rig, "echo")
    assert not rig.errors()


def test_written_answers_leave_the_voice_free() -> None:
    rig = Rig(TEXT)
    put(rig, user("Hi"))
    rig.feed(ask.CreateResponse())
    llm = rig.take("llm")
    llm.text("Hello.")
    llm.done()
    set_voice(rig, "echo")
    assert not rig.errors()


def test_a_response_may_be_spoken_by_another_voice() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.answer("Noon.")
    rig.feed(ask.CreateResponse(options=ask.ResponseOptions(voice="echo")))
    rig.take("llm").text("Hello you. And")
    assert rig.work("tts")[-1].sentence.voice.name == "echo"
    assert not rig.errors()


def test_calls_and_results_count_towards_the_size() -> None:
    call, result = FunctionCallItem("f", "c", "look", "{}"), FunctionCallOutputItem("o", "c", "rain")
    assert (size_of(call), size_of(result), size_of(user("äö"))) == (6, 4, 4)
