"""A backchannel does not have to kill an answer: how much speech, and how many words, interrupt one."""

from typing import Any

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.items import InputAudio, MessageItem
from dialtone.gateway.core.session import (
    Audio,
    AudioInput,
    Extensions,
    ServerVad,
    SessionConfig,
    Transcription,
)

from .harness import Rig, Worker

VAD = ServerVad()


def config(*, speech_ms: int | None = None, words: int | None = None, vad: ServerVad = VAD) -> SessionConfig:
    audio = Audio(input=AudioInput(transcription=Transcription(), turn_detection=vad))
    extra = Extensions(interrupt_min_speech_ms=speech_ms, interrupt_min_words=words)
    return SessionConfig(audio=audio, dialtone=extra)


def answering(session: SessionConfig, limits: Limits | None = None) -> tuple[Rig, Worker]:
    """A call in the middle of an answer, whose speech goes on for 8 s."""
    rig = Rig(session, limits=limits)
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.take("llm").text("One two three four. Five six seven eight. ")
    voice = rig.take("tts", 0)
    voice.audio(0, 8000)
    voice.spoken()
    rig.speak(2000)
    rig.effects.clear()
    return rig, ears


def still_playing(session: SessionConfig) -> tuple[Rig, Worker]:
    """A call in which an answer was sent, and is still heard for a while."""
    rig = Rig(session)
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.answer("One.", "Two.", "Three.", "Four.")
    rig.speak(1000)
    rig.effects.clear()
    return rig, ears


def interrupted(rig: Rig) -> bool:
    return any(e.response.status == "cancelled" for e in rig.of(out.ResponseDone))


def test_without_a_threshold_a_sound_interrupts() -> None:
    rig, ears = answering(config())
    ears.started(2, 2000)
    assert interrupted(rig)


@pytest.mark.parametrize("off", [{"speech_ms": 0}, {"words": 0}, {"speech_ms": 0, "words": 0}])
def test_a_session_may_switch_the_operators_threshold_off(off: dict[str, Any]) -> None:
    limits = Limits(
        interrupt_min_speech_ms=500 if "speech_ms" in off else None,
        interrupt_min_words=3 if "words" in off else None,
    )
    rig, ears = answering(config(**off), limits)
    ears.started(2, 2000)
    assert interrupted(rig)


def test_the_operators_threshold_holds_where_the_session_says_nothing() -> None:
    rig, ears = answering(config(), Limits(interrupt_min_speech_ms=500))
    ears.started(2, 2000)
    assert not interrupted(rig)
    ears.sustained(2)
    assert interrupted(rig)


def test_speech_interrupts_when_it_has_lasted_and_is_announced_only_then() -> None:
    rig, ears = answering(config(speech_ms=600))
    ears.started(2, 2000)
    rig.speak(300)
    assert not rig.sent
    ears.sustained(2)
    assert rig.types()[:2] == ["input_audio_buffer.speech_started", "response.output_audio.done"]
    assert rig.of(out.SpeechStarted)[0].audio_start_ms == 2000
    assert interrupted(rig)
    ears.sustained(2)
    assert len(rig.of(out.SpeechStarted)) == 1


def test_speech_interrupts_when_a_partial_has_its_words() -> None:
    rig, ears = answering(config(words=2))
    ears.started(2, 2000)
    ears.partial(2, "Wait")
    assert not rig.sent
    ears.partial(2, "Wait a moment")
    assert interrupted(rig)


def test_where_both_are_asked_for_both_are_needed() -> None:
    rig, ears = answering(config(speech_ms=600, words=2))
    ears.started(2, 2000)
    ears.partial(2, "Wait a moment")
    assert not interrupted(rig)
    ears.sustained(2)
    assert interrupted(rig)


def test_words_that_were_heard_once_count_though_the_next_partial_has_fewer() -> None:
    rig, ears = answering(config(speech_ms=600, words=2))
    ears.started(2, 2000)
    ears.partial(2, "Wait a moment")
    ears.partial(2, "Wait")
    ears.sustained(2)
    assert interrupted(rig)


@pytest.mark.parametrize(("speech_ms", "words"), [(600, None), (None, 2), (600, 2)])
@pytest.mark.parametrize("scene", [answering, still_playing])
def test_a_backchannel_is_an_item_with_its_words_and_nothing_else(
    scene: Any, speech_ms: int | None, words: int | None
) -> None:
    rig, ears = scene(config(speech_ms=speech_ms, words=words))
    ears.started(2, 2000)
    rig.speak(300)
    ears.candidate(2, "Uh-huh.")
    ears.stopped(2, 2300)
    ears.final(2, "Uh-huh.")
    assert rig.types() == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    said = rig.stored()[rig.of(out.InputCommitted)[0].item_id]
    assert isinstance(said, MessageItem)
    assert said.content == [InputAudio("Uh-huh.")]
    assert not rig.work("llm")
    assert not rig.cancelled()


def test_the_answer_goes_on_after_a_backchannel_and_the_next_turn_knows_of_it() -> None:
    rig, ears = answering(config(speech_ms=600))
    ears.started(2, 2000)
    ears.stopped(2, 2300)
    ears.final(2, "Uh-huh.")
    rig.wait(20)
    ears.started(3, 4000)
    ears.sustained(3)
    ears.stopped(3, 5000)
    ears.final(3, "And now?")
    assert [m.text for m in rig.work("llm")[-1].turn.messages][-2:] == ["Uh-huh.", "And now?"]


def test_words_that_are_enough_only_in_the_end_interrupt_and_are_answered() -> None:
    rig, ears = answering(config(words=2))
    ears.started(2, 2000)
    ears.stopped(2, 2500)
    assert not interrupted(rig)
    ears.final(2, "Stop that.")
    assert interrupted(rig)
    assert rig.work("llm")[-1].turn.messages[-1].text == "Stop that."


def test_what_is_said_when_no_answer_is_going_is_a_turn_however_short() -> None:
    rig = Rig(config(speech_ms=600, words=3))
    ears = rig.listen()
    ears.started(1, 0)
    assert rig.of(out.SpeechStarted)
    rig.speak(300)
    ears.stopped(1, 300)
    ears.final(1, "Yes.")
    assert rig.work("llm")[-1].turn.messages[-1].text == "Yes."


def test_what_outlasts_the_answer_is_a_turn() -> None:
    rig, ears = still_playing(config(words=3))
    ears.started(2, 2000)
    assert not rig.sent
    rig.wait(10)
    ears.stopped(2, 2500)
    assert rig.types()[:3] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
    ]
    ears.final(2, "Yes.")
    assert rig.work("llm")[-1].turn.messages[-1].text == "Yes."


def test_what_interrupted_before_is_over_for_the_next_utterance() -> None:
    rig, ears = answering(config(speech_ms=600))
    ears.started(2, 2000)
    ears.sustained(2)
    ears.stopped(2, 2500)
    rig.speak(500)
    ears.started(3, 3100)
    assert [e.audio_start_ms for e in rig.of(out.SpeechStarted)] == [2000, 3100]


def test_a_turn_that_the_client_commits_is_answered_however_short() -> None:
    rig, ears = answering(config(words=3))
    ears.started(2, 2000)
    rig.feed(ask.CommitAudio())
    ears.final(2, "Yes.")
    rig.feed(ask.CancelResponse())
    assert rig.work("llm")[-1].turn.messages[-1].text == "Yes."


def test_without_interruption_a_threshold_has_no_effect() -> None:
    rig, ears = answering(config(words=3, vad=ServerVad(interrupt_response=False)))
    ears.started(2, 2000)
    assert rig.of(out.SpeechStarted)
    ears.stopped(2, 2300)
    ears.final(2, "And?")
    rig.feed(ask.CancelResponse())
    assert rig.work("llm")[-1].turn.messages[-1].text == "And?"


@pytest.mark.parametrize(
    ("speech_ms", "words", "sustained", "partials"),
    [(None, None, 0, False), (600, None, 600, False), (None, 2, 0, True), (700, 3, 700, True)],
)
def test_the_ears_are_asked_for_what_the_threshold_needs(
    speech_ms: int | None, words: int | None, sustained: int, partials: bool
) -> None:
    rig = Rig(config(speech_ms=speech_ms, words=words))
    rig.listen()
    asked = rig.work("asr")[0].ears.config
    assert asked.turn_detection.sustained_speech_ms == sustained
    assert asked.transcription.partials is partials


@pytest.mark.parametrize(
    ("member", "right", "wrong"),
    [
        ("interrupt_min_speech_ms", [0, 10_000, None], [-1, 10_001, "1", True, 0.5]),
        ("interrupt_min_words", [0, 20, None], [-1, 21, "1", True, 0.5]),
    ],
)
def test_a_threshold_has_its_bounds(member: str, right: list[Any], wrong: list[Any]) -> None:
    for value in right:
        rig = Rig()
        rig.feed(ask.UpdateSession(patch={"dialtone": {member: value}}))
        assert not rig.errors()
        assert getattr(rig.call.config.dialtone, member) == value
    for value in wrong:
        rig = Rig()
        rig.feed(ask.UpdateSession(patch={"dialtone": {member: value}}))
        assert [e.error.param for e in rig.of(out.Error)] == [f"session.dialtone.{member}"]
