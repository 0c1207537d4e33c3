"""Work that fails, or that nobody takes: what the client is told, and that the call lives."""

import pytest

from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.v1.turn_pb2 import TurnDone

from .harness import Rig


def test_a_model_that_nobody_takes_up_fails_as_overloaded_and_the_call_lives() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.wait(6)
    response = rig.of(out.ResponseDone)[0].response
    assert (response.status, response.status_details.error.code) == ("failed", "overloaded")
    rig.voice_turn(ears, number=2)
    rig.answer("Back again.")
    assert rig.of(out.ResponseDone)[1].response.status == "completed"


def test_a_full_queue_fails_the_response_at_once() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.feed(do.SubmitFailed(rig.work("llm")[0].lease_id, "overloaded", "The queue is full."))
    assert rig.of(out.ResponseDone)[0].response.status_details.error.code == "overloaded"


def test_a_call_without_ears_ends_with_a_reason() -> None:
    rig = Rig()
    rig.speak(20)
    rig.wait(10)
    assert rig.errors() == ["overloaded"]
    assert [close.code for close in rig.closes()] == [1013]


@pytest.mark.parametrize("code", ["rate_limited", "model_not_found"])
def test_a_model_that_fails_for_good_fails_the_response_with_the_reason(code: str) -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.take("llm").failed(code)
    assert rig.of(out.ResponseDone)[0].response.status_details.error.code == code


def test_a_failure_that_is_not_final_changes_nothing() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.take("llm").failed("server_error", final=False)
    assert not rig.of(out.ResponseDone)


def test_a_sentence_that_cannot_be_spoken_is_reported_and_the_rest_is_spoken() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("First one here. Second one here.")
    llm.done()
    rig.take("tts", 0).failed("unspeakable_text")
    second = rig.take("tts", 1)
    second.audio(0, 100, b"2")
    second.spoken()
    assert rig.errors() == ["unspeakable_text"]
    assert [e.delta for e in rig.of(out.OutputAudioDelta)] == [b"2"]
    response = rig.of(out.ResponseDone)[0].response
    assert response.status == "completed"
    assert response.output[0].content[0].transcript == "First one here. Second one here."


def test_a_model_that_answers_nothing_fails_the_response_by_name() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.take("llm").done()
    assert rig.of(out.ResponseDone)[0].response.status_details.error.code == "empty_response"


@pytest.mark.parametrize(
    ("reason", "status", "detail"),
    [
        (TurnDone.FINISH_REASON_LENGTH, "incomplete", "max_output_tokens"),
        (TurnDone.FINISH_REASON_CONTENT_FILTER, "incomplete", "content_filter"),
    ],
)
def test_an_answer_cut_short_by_the_model_is_incomplete(
    reason: TurnDone.FinishReason, status: str, detail: str
) -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("One two")
    llm.done(reason)
    rig.take("tts").spoken()
    response = rig.of(out.ResponseDone)[0].response
    assert (response.status, response.status_details.reason) == (status, detail)


def test_a_turn_is_queued_again_when_the_broker_was_away_for_a_moment() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    work = rig.work("llm")[0]
    rig.feed(do.SubmitFailed(work.lease_id, "bus_unavailable", "away"))
    rig.wait(0.6)
    assert rig.work("llm") == [work, work]
    rig.answer("Noon.")
    assert rig.of(out.ResponseDone)[0].response.status == "completed"


def test_a_turn_that_the_broker_never_took_fails_with_the_reason() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    for _ in range(12):
        rig.feed(do.SubmitFailed(rig.work("llm")[0].lease_id, "bus_unavailable", "away"))
        rig.wait(0.5)
    error = rig.of(out.ResponseDone)[0].response.status_details.error
    assert (error.code, error.message) == ("bus_unavailable", "away")
