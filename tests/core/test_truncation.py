"""Truncation: the conversation keeps of an answer what the client can have heard, and says so."""

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import InputText, Item, MessageItem, OutputAudio, OutputText
from dialtone.gateway.core.session import Audio, AudioInput, ServerVad, SessionConfig
from dialtone.gateway.core.spoken_text import SpokenSentence, SpokenText

from .harness import Rig, Worker


def text_of(rig: Rig, item_id: str) -> str:
    item = rig.call._ctx.conversation.get(item_id)
    assert isinstance(item, MessageItem)
    assert isinstance(item.content[0], OutputAudio)
    return item.content[0].transcript


def answered(rig: Rig) -> tuple[Worker, str]:
    """An answer of two sentences, a second each, that was sent to its end."""
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.answer("One two three four.", "Five six seven eight.")
    return ears, rig.of(out.ResponseDone)[-1].response.output[0].id


def truncate(rig: Rig, item_id: str, end_ms: int, content_index: int = 0) -> None:
    rig.feed(
        ask.TruncateItem(event_id="mine", item_id=item_id, content_index=content_index, audio_end_ms=end_ms)
    )


def ends(rig: Rig) -> list[int]:
    return [event.audio_end_ms for event in rig.of(out.ItemTruncated)]


@pytest.mark.parametrize(
    ("end_ms", "kept", "told"),
    [
        (0, "", 0),
        (300, "One", 300),
        (1000, "One two three four.", 1000),
        (1500, "One two three four. Five six", 1500),
        (2000, "One two three four. Five six seven eight.", 2000),
        (2007, "One two three four. Five six seven eight.", 2000),  # clients round up
        (9_000_000, "One two three four. Five six seven eight.", 2000),
    ],
)
def test_a_truncation_cuts_the_text_to_what_was_heard_and_past_the_end_not_at_all(
    end_ms: int, kept: str, told: int
) -> None:
    rig = Rig()
    _, item_id = answered(rig)
    truncate(rig, item_id, end_ms)
    assert text_of(rig, item_id) == kept
    assert ends(rig) == [told]
    assert not rig.errors()
    stored = rig.stored()[item_id]
    assert isinstance(stored, MessageItem)
    assert stored.content == [OutputAudio(kept)]


def test_what_was_cut_off_never_comes_back() -> None:
    rig = Rig()
    _, item_id = answered(rig)
    for end_ms in (1000, 1000, 2000, 400, 1000):
        truncate(rig, item_id, end_ms)
    assert ends(rig) == [1000, 1000, 1000, 400, 400]
    assert text_of(rig, item_id) == "One two"


def test_text_without_heard_words_is_not_shown_to_the_model() -> None:
    rig = Rig()
    ears, item_id = answered(rig)
    truncate(rig, item_id, 0)
    rig.voice_turn(ears, "Go on.", number=2)
    assert [m.text for m in rig.work("llm")[-1].turn.messages] == ["What time is it?", "Go on."]


def test_chinese_is_cut_between_characters_and_never_within_a_latin_word() -> None:
    spoken = SpokenText((SpokenSentence("今天天气很好, 我们去 Brooklyn 吧。", 3_000_000, True),), 3_000_000)
    cuts = {spoken.cut(ms * 1000).heard() for ms in range(0, 3000, 10)}
    assert "今天天" in cuts
    assert all("Brook" not in cut or "Brooklyn" in cut for cut in cuts)
    assert max(cuts, key=len) == "今天天气很好, 我们去 Brooklyn 吧"


def test_an_answer_still_playing_when_the_user_speaks_is_cut_and_the_client_is_told() -> None:
    rig = Rig()
    ears, item_id = answered(rig)
    rig.now += 1.0
    rig.effects.clear()
    ears.started(2, 2000)
    assert rig.types() == ["input_audio_buffer.speech_started", "conversation.item.truncated"]
    assert ends(rig) == [1000]
    assert text_of(rig, item_id) == "One two three four."
    truncate(rig, item_id, 900)  # the client knows better how much of it was heard
    assert ends(rig) == [1000, 900]


def test_an_answer_played_to_its_end_is_left_alone_when_the_user_speaks() -> None:
    rig = Rig()
    ears, _ = answered(rig)
    rig.now += 2.0
    ears.started(2, 2000)
    assert not rig.of(out.ItemTruncated)


def test_both_an_answer_being_given_and_the_one_still_playing_before_it_are_cut() -> None:
    """A word before a tool runs, and the answer after: the client plays them one after the other."""
    rig = Rig()
    ears, first = answered(rig)
    rig.feed(ask.CreateResponse())
    rig.answer("Nine ten eleven.")
    second = rig.of(out.ResponseDone)[-1].response.output[0].id
    rig.now += 1.0
    ears.started(2, 2000)
    assert [(e.item_id, e.audio_end_ms) for e in rig.of(out.ItemTruncated)] == [(first, 1000), (second, 0)]
    assert (text_of(rig, first), text_of(rig, second)) == ("One two three four.", "")


def test_where_the_client_finds_the_turns_an_answer_does_not_wait_for_the_one_before() -> None:
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(turn_detection=None))))
    rig.feed(ask.CreateItem(item=MessageItem("", "user", [InputText("Hi")])))
    for _ in range(2):
        rig.feed(ask.CreateResponse())
        llm = rig.take("llm")
        llm.text("One two three four. And")
        voice = rig.take("tts")
        voice.audio(0, 1000)
        voice.spoken()
        rig.now += 0.5
        rig.feed(ask.CancelResponse())
    heard = [event.response.output[0].content for event in rig.of(out.ResponseDone)]
    assert heard == [[OutputAudio("One two")], [OutputAudio("One two")]]


def test_truncating_an_answer_that_is_still_being_given_silences_it() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("One two three four. Five six seven eight. Nine ")
    voice = rig.take("tts", 0)
    voice.audio(0, 1000)
    voice.spoken()
    other = rig.take("tts", 1)
    item_id = rig.of(out.ItemAdded)[-1].item.id
    rig.effects.clear()
    truncate(rig, item_id, 500)
    assert ends(rig) == [500]
    assert rig.cancelled() == [other.work.lease_id]
    other.audio(0, 300)
    llm.text("ten eleven. Twelve thirteen.")
    assert not rig.of(out.OutputAudioDelta)
    assert not rig.of(out.AudioTranscriptDelta)
    assert not rig.work("tts")
    llm.done()
    response = rig.of(out.ResponseDone)[0].response
    assert response.status == "completed"
    item = response.output[0]
    assert (item.status, item.content) == ("incomplete", [OutputAudio("One two")])
    assert text_of(rig, item_id) == "One two"


def test_a_silenced_answer_can_still_be_cancelled_and_still_calls_its_tools() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("One two three four. Five")
    truncate(rig, rig.of(out.ItemAdded)[-1].item.id, 0)
    llm.tool(0, "look", "{}")
    llm.done()
    message, call = rig.of(out.ResponseDone)[0].response.output
    assert (message.status, call.name) == ("incomplete", "look")
    rig.feed(ask.CreateResponse())
    llm = rig.take("llm")
    llm.text("One two three four. Five")
    truncate(rig, rig.of(out.ItemAdded)[-1].item.id, 700)
    rig.feed(ask.CancelResponse())
    assert rig.of(out.ResponseDone)[1].response.status == "cancelled"


def test_an_answer_whose_model_fails_keeps_all_that_was_sent_and_is_cut_when_spoken_over() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    llm = rig.take("llm")
    llm.text("One two three four. Five six seven eight.")
    voice = rig.take("tts", 0)
    voice.audio(0, 1000)
    voice.spoken()
    llm.failed("broken")
    response = rig.of(out.ResponseDone)[0].response
    assert response.status_details.error == out.StatusError("server_error", "broken", "broken")
    assert response.output[0].content == [OutputAudio("One two three four.")]
    assert response.output[0].status == "incomplete"
    rig.now += 0.5
    ears.started(2, 2000)
    assert text_of(rig, response.output[0].id) == "One two"


HISTORY: list[Item] = [
    MessageItem("asked", "user", [InputText("Hi")]),
    MessageItem("old", "assistant", [OutputAudio("One two three four five six seven.")]),
    MessageItem("written", "assistant", [OutputText("One two.")]),
]


def test_an_answer_from_before_a_restart_is_cut_by_how_fast_a_voice_can_speak() -> None:
    rig = Rig(items=HISTORY)
    truncate(rig, "old", 5000)  # all of it can have been heard
    assert text_of(rig, "old") == "One two three four five six seven."
    truncate(rig, "old", 500)
    assert text_of(rig, "old") == "One two three"
    truncate(rig, "old", 500)
    assert text_of(rig, "old") == "One two three"
    truncate(rig, "old", 0)
    assert text_of(rig, "old") == ""
    assert ends(rig) == [5000, 500, 500, 0]
    assert not rig.errors()


@pytest.mark.parametrize(
    ("item_id", "content_index", "code", "param"),
    [
        ("nowhere", 0, "item_truncate_invalid_item_id", "item_id"),
        ("asked", 0, "unsupported_content_type", "item_id"),
        ("written", 0, "unsupported_content_type", "item_id"),
        ("old", 1, "invalid_value", "content_index"),
    ],
)
def test_what_cannot_be_truncated_is_answered_by_an_error_that_names_it(
    item_id: str, content_index: int, code: str, param: str
) -> None:
    rig = Rig(items=HISTORY)
    truncate(rig, item_id, 100, content_index)
    error = rig.of(out.Error)[0].error
    assert (error.code, error.param, error.event_id) == (code, param, "mine")
    assert not rig.of(out.ItemTruncated)


def test_with_interruption_off_only_the_client_cuts() -> None:
    detection = ServerVad(interrupt_response=False)
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(turn_detection=detection))))
    ears, item_id = answered(rig)
    ears.started(2, 2000)
    assert not rig.of(out.ItemTruncated)
    truncate(rig, item_id, 300)
    assert text_of(rig, item_id) == "One"


def test_a_deleted_answer_is_cut_by_nobody() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    llm = rig.take("llm")
    llm.text("One two three four.")
    item_id = rig.of(out.ItemAdded)[-1].item.id
    rig.feed(ask.DeleteItem(item_id=item_id))
    llm.done()
    voice = rig.take("tts")
    voice.audio(0, 1000)
    voice.spoken()
    ears.started(2, 2000)
    truncate(rig, item_id, 100)
    assert not rig.of(out.ItemTruncated)
    assert rig.errors() == ["item_truncate_invalid_item_id"]
