"""Nobody says anything after an answer: the silence becomes a turn, a few times at most."""

from collections.abc import Callable
from typing import Any

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.items import FunctionCallOutputItem, InputAudio, InputText, MessageItem
from dialtone.gateway.core.session import Audio, AudioInput, ServerVad, SessionConfig, Transcription
from dialtone.v1.turn_pb2 import Message

from .harness import Rig, Worker

IDLE_S = 6.0
IDLE = ServerVad(idle_timeout_ms=6000)


def answered(detection: ServerVad = IDLE, **audio: Any) -> tuple[Rig, Worker]:
    """A call after its first turn, at the moment of response.done; the answer plays for another second."""
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(turn_detection=detection, **audio))))
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.answer("It is noon.")
    rig.effects.clear()
    return rig, ears


def silent(rig: Rig, seconds: float) -> None:
    """The client sends silence in real time, and the ears hear nothing in it."""
    for _ in range(round(seconds * 50)):
        rig.speak(20)
        rig.wait(0)


def timeouts(rig: Rig) -> int:
    return len(rig.of(out.TimeoutTriggered))


def test_silence_after_an_answer_is_committed_and_answered_in_the_order_of_the_protocol() -> None:
    rig, _ = answered()
    silent(rig, IDLE_S + 1.1)
    assert rig.types() == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    triggered, committed = rig.of(out.TimeoutTriggered)[0], rig.of(out.InputCommitted)[0]
    assert triggered.item_id == committed.item_id == rig.of(out.ItemAdded)[0].item.id
    assert triggered.audio_end_ms - triggered.audio_start_ms == IDLE.idle_timeout_ms
    stored = rig.stored()[triggered.item_id]
    assert isinstance(stored, MessageItem)
    assert stored.content == [InputAudio("")]


def test_the_time_runs_from_the_end_of_what_is_heard() -> None:
    rig, _ = answered()
    rig.wait(IDLE_S + 0.9)
    assert not timeouts(rig)
    rig.wait(0.2)
    assert timeouts(rig) == 1


def test_the_model_is_told_of_the_silence_in_that_turn_alone() -> None:
    rig, ears = answered()
    rig.wait(IDLE_S + 1)
    asked = rig.work("llm")[-1].turn.messages
    assert [m.role for m in asked if "said nothing" in m.text] == [Message.ROLE_SYSTEM]
    rig.answer("Are you there?")
    rig.speak(2000)
    rig.voice_turn(ears, "Yes.", number=2)
    later = rig.work("llm")[-1].turn.messages
    assert [m.text for m in later][-2:] == ["Are you there?", "Yes."]
    assert not any("said nothing" in m.text for m in later)


def test_where_words_are_told_there_are_none() -> None:
    rig, _ = answered(transcription=Transcription())
    rig.wait(IDLE_S + 1)
    completed = rig.of(out.TranscriptionCompleted)
    assert [(e.item_id, e.transcript) for e in completed] == [(rig.of(out.TimeoutTriggered)[0].item_id, "")]


def test_where_turns_are_not_answered_the_silence_is_committed_alone() -> None:
    detection = ServerVad(idle_timeout_ms=6000, create_response=False)
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(turn_detection=detection))))
    rig.feed(ask.CreateResponse())
    rig.answer("Hello.")
    rig.effects.clear()
    rig.wait(IDLE_S + 1)
    assert timeouts(rig) == 1
    assert not rig.of(out.ResponseCreated)
    rig.wait(60)
    assert timeouts(rig) == 1


def test_it_comes_again_after_each_answer_but_not_for_ever() -> None:
    rig, _ = answered()
    for _ in range(Limits().idle_answers):
        rig.wait(IDLE_S + 1)
        rig.answer("Are you there?")
    rig.wait(600)
    assert timeouts(rig) == Limits().idle_answers


def test_words_of_the_user_begin_the_count_anew() -> None:
    rig, ears = answered()
    for _ in range(Limits().idle_answers):
        rig.wait(IDLE_S + 1)
        rig.answer("Are you there?")
    rig.speak(2000)
    rig.voice_turn(ears, "Yes.", number=2)
    rig.answer("Good.")
    rig.wait(IDLE_S + 3)
    assert timeouts(rig) == Limits().idle_answers + 1


def test_before_any_answer_nobody_is_waited_for() -> None:
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(turn_detection=IDLE))))
    silent(rig, IDLE_S * 2)
    assert not timeouts(rig)


def test_a_failed_answer_is_not_followed_by_another_try() -> None:
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(turn_detection=IDLE))))
    rig.voice_turn(rig.listen())
    rig.take("llm").failed("broken")
    rig.wait(60)
    assert not timeouts(rig)


def test_speech_takes_the_time_back_and_a_noise_begins_it_anew() -> None:
    rig, ears = answered()
    rig.wait(IDLE_S)
    ears.started(2, 3000)
    rig.wait(5)
    assert not timeouts(rig)
    ears.stopped(2, 4000)
    ears.final(2, "")
    rig.wait(IDLE_S - 0.1)
    assert not timeouts(rig)
    rig.wait(0.2)
    assert timeouts(rig) == 1


@pytest.mark.parametrize(
    "stir",
    [
        lambda: ask.CreateItem(item=MessageItem("", "user", [InputText("typed")])),
        lambda: ask.CommitAudio(),
        lambda: ask.UpdateSession(patch={"instructions": "Be kind."}),
    ],
    ids=["item", "commit", "update"],
)
def test_what_the_client_does_begins_the_time_anew(stir: Callable[[], ask.ClientEvent]) -> None:
    rig, _ = answered()
    rig.wait(IDLE_S)
    rig.feed(stir())
    rig.wait(IDLE_S - 0.1)
    assert not timeouts(rig)


def test_an_answer_that_the_client_asks_for_takes_the_time_back() -> None:
    rig, _ = answered()
    rig.wait(IDLE_S)
    rig.feed(ask.CreateResponse())
    rig.wait(2)
    rig.take("llm")
    rig.wait(10)
    assert not timeouts(rig)


def test_it_is_the_user_who_waits_while_a_tool_runs() -> None:
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(turn_detection=IDLE))))
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.tool(0, "look", "{}")
    llm.done()
    assert rig.of(out.ResponseDone)
    rig.wait(60)
    assert not timeouts(rig)
    rig.feed(ask.CreateItem(item=FunctionCallOutputItem("", "call_0", "42")))
    rig.wait(IDLE_S + 0.1)
    assert timeouts(rig) == 1


@pytest.mark.parametrize(
    "detection", [None, {"type": "semantic_vad"}, {"type": "server_vad", "idle_timeout_ms": None}]
)
def test_it_is_switched_off_with_the_detection(detection: Any) -> None:
    rig, _ = answered()
    rig.feed(ask.UpdateSession(patch={"audio": {"input": {"turn_detection": detection}}}))
    rig.wait(60)
    assert not timeouts(rig)


def test_switched_on_after_an_answer_it_runs_from_then() -> None:
    rig, _ = answered(ServerVad())
    rig.wait(60)
    patch = {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000}}
    rig.feed(ask.UpdateSession(patch={"audio": {"input": patch}}))
    rig.wait(IDLE_S - 0.1)
    assert not timeouts(rig)
    rig.wait(0.2)
    assert timeouts(rig) == 1


def test_a_user_who_speaks_at_that_moment_is_heard() -> None:
    rig, ears = answered()
    silent(rig, IDLE_S + 1.1)
    rig.take("llm").text("Are you ")
    end_ms = rig.of(out.TimeoutTriggered)[0].audio_end_ms
    ears.started(2, end_ms - 300)
    assert rig.of(out.ResponseDone)[-1].response.status == "cancelled"
    assert rig.of(out.SpeechStarted)[-1].audio_start_ms == end_ms
    ears.stopped(2, end_ms + 500)
    ears.final(2, "Wait.")
    assert rig.work("llm")[-1].turn.messages[-1].text == "Wait."


def test_a_client_that_has_ended_its_input_is_not_asked_whether_it_is_there() -> None:
    rig, _ = answered()
    rig.feed(ask.EndInput())
    rig.wait(50)
    assert not timeouts(rig)
