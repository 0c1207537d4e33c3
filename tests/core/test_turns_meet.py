"""Turns that come close upon each other: the user is not spoken over, and nothing asked is forgotten."""

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.session import Audio, AudioInput, ServerVad, SessionConfig

from .harness import Rig, Worker

UNINTERRUPTED = SessionConfig(
    audio=Audio(input=AudioInput(turn_detection=ServerVad(interrupt_response=False)))
)


def going_on(rig: Rig) -> Worker:
    """The user stopped, and goes on before the words of what they said have come."""
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(1000)
    ears.stopped(1, 800)
    ears.started(2, 900)
    ears.final(1, "Tell me a story")
    return ears


def test_a_user_who_goes_on_is_not_spoken_over_and_gets_one_answer_to_all_of_it() -> None:
    rig = Rig()
    ears = going_on(rig)
    assert not rig.of(out.ResponseCreated)
    ears.stopped(2, 1000)
    ears.final(2, "about a cat.")
    assert len(rig.of(out.ResponseCreated)) == 1
    asked = rig.work("llm")[-1].turn.messages
    assert [m.text for m in asked if m.text in ("Tell me a story", "about a cat.")] == [
        "Tell me a story",
        "about a cat.",
    ]
    rig.answer("Once upon a time.")
    assert len(rig.of(out.ResponseDone)) == 1
    assert len(rig.of(out.ResponseCreated)) == 1


def test_a_noise_after_a_question_does_not_take_its_answer_away() -> None:
    rig = Rig()
    ears = going_on(rig)
    ears.stopped(2, 1000)
    ears.final(2, "")
    assert rig.work("llm")[-1].turn.messages[-1].text == "Tell me a story"
    assert len(rig.of(out.ResponseCreated)) == 1


@pytest.mark.parametrize(
    "change",
    [ask.ClearAudio(), ask.UpdateSession(patch={"audio": {"input": {"turn_detection": None}}})],
)
def test_the_question_is_answered_when_what_followed_it_is_taken_back(change: ask.ClientEvent) -> None:
    rig = Rig()
    going_on(rig)
    rig.feed(change)
    assert rig.work("llm")[-1].turn.messages[-1].text == "Tell me a story"


def test_speech_that_was_cleared_before_it_was_heard_is_no_turn() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.speak(1000)
    rig.feed(ask.ClearAudio())
    ears.started(1, 100)  # they have not come to the clear
    ears.stopped(1, 1020)
    ears.final(1, "")
    assert not rig.of(out.SpeechStarted)
    assert not rig.of(out.InputCommitted)
    rig.voice_turn(ears, number=2)
    assert len(rig.of(out.InputCommitted)) == 1


def test_a_response_asked_for_meanwhile_is_the_answer() -> None:
    rig = Rig()
    ears = going_on(rig)
    rig.feed(ask.CreateResponse())
    rig.answer("Once upon a time.")
    ears.stopped(2, 1000)
    ears.final(2, "")
    assert len(rig.of(out.ResponseCreated)) == 1


def test_a_response_asked_for_before_the_words_have_come_is_the_answer_to_them() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(1000)
    ears.stopped(1, 800)
    rig.feed(ask.CreateResponse())
    ears.final(1, "Tell me a story")
    assert rig.work("llm")[-1].turn.messages[-1].text == "Tell me a story"
    rig.answer("Once upon a time.")
    assert len(rig.of(out.ResponseDone)) == 1
    assert len(rig.of(out.ResponseCreated)) == 1


def test_a_response_that_is_cancelled_before_the_words_have_come_gets_no_substitute() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(1000)
    ears.stopped(1, 800)
    rig.feed(ask.CreateResponse())
    rig.feed(ask.CancelResponse())
    ears.final(1, "Tell me a story")
    assert [done.response.status for done in rig.of(out.ResponseDone)] == ["cancelled"]
    assert len(rig.of(out.ResponseCreated)) == 1
    rig.voice_turn(ears, "Or a poem.", number=2)
    assert len(rig.of(out.ResponseCreated)) == 2


def test_without_interruption_the_answer_begins_at_once() -> None:
    rig = Rig(UNINTERRUPTED)
    going_on(rig)
    assert rig.of(out.ResponseCreated)


def test_a_call_that_is_to_end_waits_for_the_turn_that_waits() -> None:
    rig = Rig()
    ears = going_on(rig)
    rig.feed(ask.EndInput())
    ears.stopped(2, 1000)
    ears.final(2, "")
    ears.say(leg_done={})
    rig.answer("Once upon a time.")
    assert [close.code for close in rig.closes()] == [1000]
    assert rig.of(out.ResponseDone)[0].response.status == "completed"


def test_a_long_answer_is_said_to_its_end_though_the_client_has_ended_its_input() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.feed(ask.EndInput())
    ears.say(leg_done={})
    llm = rig.take("llm")
    llm.text(" ".join(f"This is sentence number {n}." for n in range(12)))
    llm.done()
    said = 0
    for _ in range(100):
        while said < len(rig.work("tts")):
            voice = rig.take("tts", said)
            voice.audio(0, 10_000)
            voice.spoken()
            said += 1
        rig.wait(5)
        if rig.call.closed:
            break
    assert said == 12
    assert rig.of(out.ResponseDone)[0].response.status == "completed"
    assert [close.code for close in rig.closes()] == [1000]


def test_a_session_that_another_call_has_taken_ends_with_a_reason() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.feed(do.Displaced())
    assert rig.errors() == ["session_taken_over"]
    assert [close.code for close in rig.closes()] == [1008]
    assert rig.call.open_leases() == 0
