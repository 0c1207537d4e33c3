"""Updates of the session while a call is on."""

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out

from .harness import Rig

VAD = {"audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 900}}}}


def test_an_update_is_stored_told_to_the_client_and_to_the_ears() -> None:
    rig = Rig()
    rig.listen()
    rig.feed(ask.UpdateSession(patch=VAD))
    told = rig.of(out.SessionUpdated)[0].config
    assert told.audio.input.turn_detection.silence_duration_ms == 900
    assert [e.config for e in rig.effects if isinstance(e, do.PutConfig)] == [told]
    assert rig.inputs()[-1].config.turn_detection.silence_duration_ms == 900


def test_what_is_right_of_an_update_is_applied_and_what_is_wrong_is_named() -> None:
    rig = Rig()
    rig.feed(ask.UpdateSession(patch={"instructions": "Be kind.", "max_output_tokens": "many"}, event_id="e"))
    error = rig.of(out.Error)[0].error
    assert (error.param, error.event_id) == ("session.max_output_tokens", "e")
    assert rig.of(out.SessionUpdated)[0].config.instructions == "Be kind."


def test_an_update_of_which_nothing_is_right_changes_nothing() -> None:
    rig = Rig()
    rig.feed(ask.UpdateSession(patch={"max_output_tokens": "many"}))
    assert rig.of(out.Error)
    assert not rig.of(out.SessionUpdated)


def test_an_update_during_a_response_is_for_later_ones() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    rig.feed(ask.UpdateSession(patch={"output_modalities": ["text"]}))
    llm.text("Still spoken.")
    llm.done()
    assert rig.work("tts")


def test_turning_detection_off_leaves_committing_to_the_client() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.feed(ask.UpdateSession(patch={"audio": {"input": {"turn_detection": None}}}))
    rig.speak(500)
    rig.feed(ask.CommitAudio())
    ears.final(1, "Committed by hand")
    assert not rig.work("llm")
    rig.feed(ask.CreateResponse())
    assert rig.work("llm")[0].turn.messages[-1].text == "Committed by hand"
