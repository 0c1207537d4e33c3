"""What must not confuse a call: workers that say what is not theirs, ids that are used again, news that
comes too late. Each was found by the state machine (tests/core/machine)."""

from __future__ import annotations

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import InputText, MessageItem
from dialtone.gateway.core.session import Audio, AudioInput, SessionConfig
from dialtone.v1.events_pb2 import Released

from .harness import Rig

BY_HAND = SessionConfig(audio=Audio(input=AudioInput(turn_detection=None)))


def replace(rig: Rig, item_id: str) -> MessageItem:
    """As clients rewrite a history: delete the item, and put another under its id."""
    rig.feed(ask.DeleteItem(item_id=item_id))
    item = MessageItem(item_id, "user", [InputText("mine")])
    rig.feed(ask.CreateItem(item=item))
    return item


def test_a_voice_cannot_end_the_turn_of_the_model() -> None:
    rig = Rig()
    rig.feed(ask.CreateResponse())
    model = rig.take("llm")
    model.text("It is three. ")
    rig.take("tts").done()
    model.text("Not four.")
    model.done()
    transcript = "".join(event.delta for event in rig.of(out.AudioTranscriptDelta))
    assert transcript == "It is three. Not four."


def test_words_do_not_go_to_an_item_that_took_the_place_of_the_users() -> None:
    rig = Rig(BY_HAND)
    rig.speak(200)
    rig.feed(ask.CommitAudio())
    item = replace(rig, rig.of(out.InputCommitted)[0].item_id)
    rig.take("asr").final(1, "Hello.")
    assert rig.stored() == {item.id: item}
    rig.feed(ask.RetrieveItem(item_id=item.id))
    assert rig.of(out.ItemRetrieved)[-1].item == item


def test_an_answer_does_not_overwrite_an_item_that_took_its_place() -> None:
    rig = Rig(SessionConfig(output_modalities=["text"]))
    rig.feed(ask.CreateResponse())
    model = rig.take("llm")
    model.text("It is three.")
    item = replace(rig, rig.of(out.ItemAdded)[0].item.id)
    model.done()
    assert rig.stored() == {item.id: item}
    assert rig.of(out.ResponseDone)[0].response.status == "completed"
    assert [event.item for event in rig.of(out.ItemDone)] == [item]


def test_places_in_the_input_never_go_back_and_never_beyond_what_was_sent() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.speak(980)
    ears.started(1, 100)
    ears.stopped(1, 5000)
    ears.final(1, "Hello.")
    ears.started(2, 300)
    assert [event.audio_end_ms for event in rig.of(out.SpeechStopped)] == [1000]
    assert [event.audio_start_ms for event in rig.of(out.SpeechStarted)] == [100, 1000]


def test_work_that_was_claimed_is_not_queued_again_when_its_submission_seems_to_have_failed() -> None:
    rig = Rig()
    rig.feed(ask.CreateResponse())
    rig.take("llm").say(released=Released(reason="going"))
    lease_id = rig.work("llm")[0].lease_id
    rig.feed(do.SubmitFailed(lease_id, "bus_unavailable", "no answer in time"))
    rig.wait(1.0)
    assert len(rig.work("llm")) == 1
    assert rig.claim(rig.work("llm")[0], 1).attempt == 1
    assert rig.grants()[-1].granted


def test_ears_whose_second_claim_is_refused_are_not_sent_everything_again() -> None:
    rig = Rig()
    rig.listen()
    rig.speak(200)
    sent = len(rig.inputs())
    rig.claim(rig.work("asr")[0], 0)
    assert not rig.grants()[-1].granted
    assert len(rig.inputs()) == sent


def test_an_empty_piece_of_audio_is_no_delta() -> None:
    rig = Rig()
    rig.feed(ask.CreateResponse())
    rig.take("llm").text("It is three. And ")
    rig.take("tts").audio(0, 20, b"")
    assert rig.of(out.OutputAudioDelta) == []
