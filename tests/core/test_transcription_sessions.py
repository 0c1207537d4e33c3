"""Sessions that only listen: each item gets its words, and nothing is ever answered."""

from typing import Any

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.session import (
    Audio,
    AudioInput,
    SemanticVad,
    ServerVad,
    SessionConfig,
    Transcription,
    TurnDetection,
)
from dialtone.v1.common_pb2 import Error
from dialtone.v1.ears_pb2 import Transcript

from .harness import Rig, Worker

VAD = ServerVad()


def listening(detection: TurnDetection | None = VAD) -> Rig:
    audio = Audio(input=AudioInput(turn_detection=detection))
    return Rig(SessionConfig(type="transcription", audio=audio))


def deltas(rig: Rig) -> list[str]:
    return [event.delta for event in rig.of(out.TranscriptionDelta)]


@pytest.mark.parametrize("detection", [ServerVad(), SemanticVad(eagerness="low")])
def test_a_turn_is_committed_and_told_as_words_and_that_is_all(detection: TurnDetection) -> None:
    rig = listening(detection)
    rig.voice_turn(rig.listen(), "What time is it?")
    assert rig.types() == [
        "session.created",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    rig.wait(60)
    assert not rig.work("llm")


def test_without_detection_the_client_commits() -> None:
    rig = listening(None)
    ears = rig.listen()
    rig.speak(500)
    rig.feed(ask.CommitAudio())
    ears.final(1, "By hand")
    assert deltas(rig) == ["By hand"]
    assert [e.transcript for e in rig.of(out.TranscriptionCompleted)] == ["By hand"]
    assert not rig.work("llm")


def test_words_are_told_while_the_user_speaks_and_never_twice() -> None:
    rig = listening()
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(1000)
    for text in ("The quick", "The quick brown fox", "The quick brown fox jumps"):
        ears.partial(1, text)
    assert deltas(rig) == ["The quick", " brown fox"]
    ears.stopped(1, 1000)
    ears.final(1, "The quick brown fox jumps.")
    completed = rig.of(out.TranscriptionCompleted)[0]
    assert "".join(deltas(rig)) == completed.transcript == "The quick brown fox jumps."
    assert {e.item_id for e in rig.of(out.TranscriptionDelta)} == {completed.item_id}


def test_what_turns_out_otherwise_is_told_by_the_completed_transcript_alone() -> None:
    rig = listening()
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(500)
    ears.partial(1, "I scream")
    ears.partial(1, "I scream")
    ears.stopped(1, 500)
    ears.final(1, "Ice cream.")
    assert deltas(rig) == ["I scream"]
    assert rig.of(out.TranscriptionCompleted)[0].transcript == "Ice cream."


def test_the_ears_are_asked_for_partials_and_not_for_candidates() -> None:
    rig = listening()
    rig.listen()
    config = rig.work("asr")[0].ears.config
    assert config.transcription.partials
    assert config.turn_detection.candidate_pause_ms == 0


def test_realtime_sessions_are_told_all_words_at_once() -> None:
    audio = Audio(input=AudioInput(transcription=Transcription()))
    rig = Rig(SessionConfig(audio=audio))
    ears = rig.listen()
    assert not rig.work("asr")[0].ears.config.transcription.partials
    ears.started(1, 0)
    rig.speak(500)
    ears.partial(1, "Hello there")
    ears.partial(1, "Hello there")
    ears.stopped(1, 500)
    ears.final(1, "Hello there.")
    assert deltas(rig) == ["Hello there."]


def test_a_candidate_is_not_answered() -> None:
    rig = listening()
    ears = rig.listen()
    ears.started(1, 0)
    ears.candidate(1, "Hello")
    assert not rig.work("llm")


def test_response_create_is_an_error_that_names_the_clients_event() -> None:
    rig = listening()
    rig.feed(ask.CreateResponse(event_id="e1"))
    rig.feed(ask.CreateResponse(options=ask.ResponseOptions(conversation="none", input=[]), event_id="e2"))
    errors = [event.error for event in rig.of(out.Error)]
    assert [(e.type, e.event_id) for e in errors] == [
        ("invalid_request_error", "e1"),
        ("invalid_request_error", "e2"),
    ]
    assert all("response.create" in e.message for e in errors)
    assert not rig.of(out.ResponseCreated)
    assert not rig.call.closed


def test_every_committed_item_gets_exactly_one_end_of_its_words() -> None:
    rig = listening()
    ears = rig.listen()

    def say(number: int, final: dict[str, Any]) -> None:
        ears.started(number, number * 1000)
        rig.speak(500)
        ears.stopped(number, number * 1000 + 500)
        if final:
            ears.say(transcript=Transcript(utterance=number, kind=Transcript.KIND_FINAL, **final))

    say(1, {"text": "One"})
    say(2, {"text": ""})
    say(3, {"error": Error(code="recognition_failed", message="no")})
    say(4, {})
    rig.wait(60)
    ends = [(e.item_id, "completed") for e in rig.of(out.TranscriptionCompleted)]
    ends += [(e.item_id, "failed") for e in rig.of(out.TranscriptionFailed)]
    committed = [e.item_id for e in rig.of(out.InputCommitted)]
    assert sorted(ends) == sorted(zip(committed, ["completed", "completed", "failed", "failed"], strict=True))
    assert [e.transcript for e in rig.of(out.TranscriptionCompleted)] == ["One", ""]


@pytest.mark.parametrize(
    ("rig", "own", "other"),
    [(Rig(), "realtime", "transcription"), (listening(), "transcription", "realtime")],
    ids=["realtime", "transcription"],
)
def test_a_session_keeps_its_type(rig: Rig, own: str, other: str) -> None:
    rig.feed(ask.UpdateSession(patch={"type": own, "include": []}))
    assert not rig.errors()
    rig.feed(ask.UpdateSession(patch={"type": other, "include": None}, event_id="e1"))
    error = rig.of(out.Error)[0].error
    assert (error.code, error.param, error.event_id) == ("invalid_parameter", "session.type", "e1")
    updated = rig.of(out.SessionUpdated)
    assert [(e.config.type, e.config.include) for e in updated] == [(own, []), (own, None)]


def test_an_unknown_type_names_those_that_there_are() -> None:
    rig = Rig()
    rig.feed(ask.UpdateSession(patch={"type": "translation"}))
    error = rig.of(out.Error)[0].error
    assert (error.code, error.param) == ("invalid_value", "session.type")


@pytest.mark.parametrize(
    "asked", [{"model": "any-model-9"}, {"language": "Klingon (Qo'noS)"}, {"languages": ["en"]}]
)
def test_any_model_and_language_may_be_asked_for(asked: dict[str, object]) -> None:
    rig = listening()
    rig.feed(ask.UpdateSession(patch={"audio": {"input": {"transcription": asked}}}))
    assert not rig.errors()


def deleted_while_its_words_are_pending(rig: Rig) -> Worker:
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(500)
    ears.stopped(1, 500)
    rig.feed(ask.DeleteItem(item_id=rig.of(out.InputCommitted)[0].item_id))
    return ears


def test_an_item_that_was_deleted_before_its_words_came_is_not_answered() -> None:
    rig = Rig()
    ears = deleted_while_its_words_are_pending(rig)
    ears.final(1, "Forget it")
    assert not rig.of(out.ResponseCreated)
    assert not rig.work("llm")


def test_a_turn_that_waits_to_be_answered_and_is_deleted_is_not() -> None:
    rig = Rig(
        SessionConfig(audio=Audio(input=AudioInput(turn_detection=ServerVad(interrupt_response=False))))
    )
    ears = rig.listen()
    rig.voice_turn(ears, "One?")
    rig.voice_turn(ears, "Two?", number=2)
    rig.feed(ask.DeleteItem(item_id=rig.of(out.InputCommitted)[1].item_id))
    rig.answer("One.")
    assert len(rig.of(out.ResponseCreated)) == 1
    assert rig.call.open_leases() == 1
