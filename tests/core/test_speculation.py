"""An answer begun at a pause: invisible until the turn ends with the words it was begun with."""

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out

from .harness import Rig, Worker


def paused(rig: Rig, text: str = "What time is it?") -> Worker:
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(1000)
    ears.candidate(1, text)
    return ears


def begun(rig: Rig) -> Worker:
    """The guess's model has answered, and its first sentence is spoken."""
    llm = rig.take("llm")
    llm.text("It is noon. And sunny.")
    llm.done()
    voice = rig.take("tts")
    voice.audio(0, 500, b"guess")
    voice.spoken()
    return llm


def test_nothing_of_a_guess_is_sent_or_stored() -> None:
    rig = Rig()
    paused(rig)
    before = len(rig.sent)
    begun(rig)
    assert [e for e in rig.sent[before:] if not isinstance(e, out.PartialTranscript)] == []
    assert not rig.stored()
    assert len(rig.work("tts")) == 1  # only the first sentence is made ahead


def test_a_guess_that_was_right_is_sent_at_once() -> None:
    rig = Rig()
    ears = paused(rig)
    begun(rig)
    ears.stopped(1, 800)
    ears.final(1, "What time is it?")
    assert len(rig.work("llm")) == 1
    assert [e.delta for e in rig.of(out.OutputAudioDelta)] == [b"guess"]
    assert [w.sentence.text.strip() for w in rig.work("tts")] == ["It is noon.", "And sunny."]
    second = rig.take("tts")
    second.audio(0, 500)
    second.spoken()
    response = rig.of(out.ResponseDone)[0].response
    assert response.status == "completed"
    assert rig.of(out.TurnMetrics)[0].metrics.tts_first_chunk_ms == 0


def test_the_conversation_is_in_order_though_the_answer_began_first() -> None:
    rig = Rig()
    ears = paused(rig)
    begun(rig)
    ears.stopped(1, 800)
    ears.final(1, "What time is it?")
    user, assistant = rig.of(out.ItemAdded)
    assert assistant.previous_item_id == user.item.id


def test_a_guess_that_was_wrong_leaves_no_trace() -> None:
    rig = Rig()
    ears = paused(rig)
    begun(rig)
    ears.stopped(1, 800)
    ears.final(1, "What time is it in Tokyo?")
    assert rig.work("llm")[0].lease_id in rig.cancelled()
    assert rig.work("llm")[1].turn.messages[-1].text == "What time is it in Tokyo?"
    assert not rig.of(out.OutputAudioDelta)
    assert len(rig.of(out.ResponseCreated)) == 1


def test_a_user_who_goes_on_gets_a_new_guess_and_only_so_many() -> None:
    rig = Rig()
    ears = paused(rig, "a")
    for text in "bcdefgh":
        ears.candidate(1, text)
    assert [w.turn.messages[-1].text for w in rig.work("llm")] == ["a", "b", "c"]


def test_the_same_candidate_again_does_not_start_over() -> None:
    rig = Rig()
    ears = paused(rig)
    ears.candidate(1, "What time is it?")
    assert len(rig.work("llm")) == 1


def test_no_tool_is_called_on_a_guess() -> None:
    rig = Rig()
    ears = paused(rig)
    llm = rig.take("llm")
    llm.tool(0, "hang_up", "{}")
    llm.done()
    assert not rig.of(out.FunctionArgumentsDone)
    ears.stopped(1, 800)
    ears.final(1, "What time is it?")
    assert [e.name for e in rig.of(out.FunctionArgumentsDone)] == ["hang_up"]


def test_a_change_of_the_conversation_voids_the_guess() -> None:
    rig = Rig()
    paused(rig)
    rig.feed(ask.ClearAudio())
    assert rig.work("llm")[0].lease_id in rig.cancelled()


def test_a_guess_whose_model_fails_is_forgotten_and_the_turn_is_answered() -> None:
    rig = Rig()
    ears = paused(rig)
    rig.take("llm").failed("rate_limited")
    ears.stopped(1, 800)
    ears.final(1, "What time is it?")
    rig.answer("Noon.")
    assert rig.of(out.ResponseDone)[0].response.status == "completed"


def test_a_guess_that_is_done_waits_for_the_user_as_long_as_they_speak() -> None:
    rig = Rig()
    ears = paused(rig)
    begun(rig)
    for _ in range(40):
        rig.speak(1000)
        rig.wait(0.01)
    assert len(rig.work("llm")) == len(rig.work("tts")) == 1
    ears.stopped(1, 800)
    ears.final(1, "What time is it?")
    assert [e.delta for e in rig.of(out.OutputAudioDelta)] == [b"guess"]


def test_a_tool_that_two_attempts_at_a_guess_call_is_called_once() -> None:
    rig = Rig()
    ears = paused(rig)
    first = rig.take("llm")
    first.tool(0, "hang_up", "{}")
    second = rig.claim(first.work, attempt=1)
    second.tool(0, "hang_up", "{}")
    second.done()
    ears.stopped(1, 800)
    ears.final(1, "What time is it?")
    assert [(e.name, e.arguments) for e in rig.of(out.FunctionArgumentsDone)] == [("hang_up", "{}")]


def test_nothing_is_synthesised_of_a_guess_that_cannot_be_spoken() -> None:
    rig = Rig()
    ears = paused(rig)
    llm = rig.take("llm")
    llm.text("\U0001f44d")
    llm.done()
    assert not rig.work("tts")
    ears.stopped(1, 800)
    ears.final(1, "What time is it?")
    assert rig.of(out.ResponseDone)[0].response.status == "completed"
    assert rig.call.open_leases() == 1  # the ears


def test_a_guess_at_one_turn_does_not_answer_another_that_says_the_same() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(1000)
    ears.stopped(1, 800)
    ears.started(2, 900)
    rig.speak(1000)
    ears.candidate(2, "Hello?")
    guess = rig.work("llm")[0]
    ears.final(1, "Hello?")
    assert guess.lease_id in rig.cancelled()


def test_a_guess_whose_voice_fails_is_forgotten_and_the_turn_is_answered() -> None:
    rig = Rig()
    ears = paused(rig)
    rig.take("llm").text("It is noon. And")
    rig.take("tts").failed("broken")
    ears.stopped(1, 800)
    ears.final(1, "What time is it?")
    rig.answer("Noon.")
    assert rig.of(out.ResponseDone)[0].response.status == "completed"
