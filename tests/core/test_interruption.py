"""Barge-in: the answer stops, and the conversation keeps what can have been heard."""

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import MessageItem, OutputAudio
from dialtone.gateway.core.session import Audio, AudioInput, ServerVad, SessionConfig

from .harness import Rig, Worker


def spoken_to(rig: Rig) -> tuple[Worker, Worker]:
    """A call in the middle of an answer: its ears, and the model's turn."""
    ears = rig.listen()
    rig.voice_turn(ears)
    llm = rig.take("llm")
    llm.text("One two three four. Five six seven eight. ")
    voice = rig.take("tts", 0)
    voice.audio(0, 1000)
    voice.audio(1000, 1000)
    voice.spoken()
    return ears, llm


def test_speech_over_an_answer_ends_it_with_all_its_done_events() -> None:
    rig = Rig()
    ears, _ = spoken_to(rig)
    rig.effects.clear()
    ears.started(2, 2000)
    assert rig.types() == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = rig.of(out.ResponseDone)[0].response
    assert response.status == "cancelled"
    assert response.status_details.reason == "turn_detected"


def test_workers_of_an_interrupted_answer_are_told_to_stop_and_heard_no_more() -> None:
    rig = Rig()
    ears, llm = spoken_to(rig)
    voice = rig.take("tts", 1)
    rig.effects.clear()
    ears.started(2, 2000)
    assert set(rig.cancelled()) == {llm.work.lease_id, voice.work.lease_id}
    rig.effects.clear()
    voice.audio(0, 100)
    llm.text("more")
    assert not rig.effects


@pytest.mark.parametrize(
    ("after_s", "kept"),
    [(0.0, ""), (1.0, "One two"), (2.0, "One two three four."), (9.0, "One two three four.")],
)
def test_the_conversation_keeps_what_can_have_been_heard(after_s: float, kept: str) -> None:
    rig = Rig()
    ears, _ = spoken_to(rig)
    rig.now += after_s
    ears.started(2, 2000)
    assistant = list(rig.stored().values())[-1]
    assert isinstance(assistant, MessageItem)
    assert isinstance(assistant.content[0], OutputAudio)
    assert assistant.content[0].transcript.strip() == kept
    assert assistant.status == "incomplete"


def test_an_answer_that_is_sent_but_still_playing_is_cut_too() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.answer("One two three four.", "Five six seven eight.")
    rig.now += 1.0
    ears.started(2, 2000)
    assistant = list(rig.stored().values())[-1]
    assert isinstance(assistant, MessageItem)
    assert assistant.content == [OutputAudio("One two three four.")]


def test_an_answer_runs_on_where_interruption_is_off() -> None:
    detection = ServerVad(interrupt_response=False)
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(turn_detection=detection))))
    ears, llm = spoken_to(rig)
    rig.voice_turn(ears, "And tomorrow?", number=2)
    assert not rig.of(out.ResponseDone)
    llm.done()
    rig.take("tts", 1).spoken()
    assert rig.of(out.ResponseDone)[0].response.status == "completed"
    # The turn that came meanwhile is answered after it.
    assert rig.work("llm")[-1].turn.messages[-1].text == "And tomorrow?"
    assert len(rig.of(out.ResponseCreated)) == 2


def test_the_client_cancels_a_response() -> None:
    rig = Rig()
    spoken_to(rig)
    rig.feed(ask.CancelResponse())
    response = rig.of(out.ResponseDone)[0].response
    assert (response.status, response.status_details.reason) == ("cancelled", "client_cancelled")


def test_cancelling_nothing_is_an_error_that_clients_know() -> None:
    rig = Rig()
    rig.feed(ask.CancelResponse(event_id="e1"))
    error = rig.of(out.Error)[0].error
    assert error.code == "response_cancel_not_active"
    assert error.message.startswith("Cancellation failed")


def test_a_hundred_interruptions_at_any_moment_leave_the_next_turn_answered() -> None:
    rig = Rig()
    ears = rig.listen()
    for turn in range(100):
        rig.voice_turn(ears, f"Question {turn}?", number=turn + 1)
        llm = rig.take("llm")
        for step in range(turn % 7):
            if step % 3 == 0:
                llm.text(f"Sentence {step} of it. ")
            elif rig.work("tts")[-1].sentence.response_id == llm.work.turn.response_id and step % 3 == 1:
                rig.take("tts").audio(0, 200)
    created, done = rig.of(out.ResponseCreated), rig.of(out.ResponseDone)
    assert len(created) == 100
    assert len(done) == 99
    assert rig.call.open_leases() <= 4


def test_of_a_sentence_that_is_still_being_made_no_more_is_kept_than_was_heard() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.take("llm").text("One two three four five six seven eight nine ten eleven twelve. And")
    rig.take("tts", 0).audio(0, 500)
    rig.now += 2.0  # all of it was played, the rest never came
    ears.started(2, 2000)
    assistant = list(rig.stored().values())[-1]
    assert isinstance(assistant, MessageItem)
    assert assistant.content == [OutputAudio("One two")]
