"""Audio in an item that a client adds: it is heard, and what asks for it waits."""

from collections.abc import Callable

import msgspec
import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.effects import Submit
from dialtone.gateway.core.items import InputAudio, InputText, MessageItem
from dialtone.gateway.core.session import Audio, AudioFormat, AudioInput, SessionConfig, Transcription
from dialtone.v1.common_pb2 import Error
from dialtone.v1.ears_pb2 import Transcript
from dialtone.v1.events_pb2 import Released

from .asking import prompt
from .harness import Rig, Worker

SECOND = bytes(48_000)
HEARD = SessionConfig(
    audio=Audio(input=AudioInput(transcription=Transcription("whisper-1", language="de", prompt="Ada")))
)
UNHEARD = SessionConfig()


def added(config: SessionConfig = HEARD, audio: bytes = SECOND, limits: Limits | None = None) -> Rig:
    rig = Rig(config, limits=limits)
    add(rig, "mine", audio)
    return rig


def add(rig: Rig, item_id: str, *recordings: bytes) -> None:
    rig.feed(
        ask.CreateItem(
            event_id="e1",
            item=MessageItem(item_id, "user", [InputAudio() for _ in recordings]),
            recordings=dict(enumerate(recordings)),
        )
    )


def words(rig: Rig, item_id: str = "mine") -> list[object]:
    item = rig.call._ctx.conversation.get(item_id)
    assert isinstance(item, MessageItem)
    return list(item.content)


def test_the_item_is_there_at_once_and_its_words_come_later() -> None:
    rig = added()
    assert rig.types()[-2:] == ["conversation.item.added", "conversation.item.done"]
    assert rig.of(out.ItemDone)[-1].item.content == [InputAudio()]
    (work,) = rig.work("asr")
    assert work.recording.audio == SECOND
    assert work.recording.format.sample_rate == 24_000
    assert (work.recording.transcription.language, work.recording.transcription.prompt) == ("de", "Ada")
    before = len(rig.types())
    rig.take("asr").final(0, "Hello there.")
    heard = "conversation.item.input_audio_transcription"
    assert rig.types()[before:] == [f"{heard}.delta", f"{heard}.completed"]
    completed = rig.of(out.TranscriptionCompleted)[0]
    assert (completed.item_id, completed.content_index) == ("mine", 0)
    assert (completed.transcript, completed.usage.seconds) == ("Hello there.", 1.0)
    assert words(rig) == [InputAudio("Hello there.")]
    assert rig.stored()["mine"] == rig.call._ctx.conversation.get("mine")
    assert not rig.call.open_leases()


def test_without_transcription_the_words_are_only_put_into_the_item() -> None:
    rig = added(UNHEARD)
    rig.take("asr").final(0, "Hello there.")
    assert words(rig) == [InputAudio("Hello there.")]
    assert not rig.of(out.TranscriptionCompleted)
    assert not rig.of(out.TranscriptionDelta)


def test_a_response_waits_for_the_words() -> None:
    rig = added()
    rig.feed(ask.CreateResponse())
    assert rig.of(out.ResponseCreated)
    assert not rig.work("llm")
    rig.take("asr").final(0, "What time is it?")
    assert prompt(rig) == [("user", "What time is it?")]
    rig.answer("It is three.")
    assert rig.of(out.ResponseDone)[0].response.status == "completed"


def test_a_response_waits_for_all_recordings_and_has_them_in_their_places() -> None:
    rig = Rig(HEARD)
    item = MessageItem("mine", "user", [InputAudio(), InputText("and"), InputAudio()])
    rig.feed(ask.CreateItem(item=item, recordings={0: SECOND, 2: SECOND * 2}))
    rig.feed(ask.CreateResponse())
    later, first = rig.take("asr", 1), rig.take("asr", 0)
    later.final(0, "three")
    assert not rig.work("llm")
    first.final(0, "one")
    assert words(rig) == [InputAudio("one"), InputText("and"), InputAudio("three")]
    assert [event.content_index for event in rig.of(out.TranscriptionCompleted)] == [2, 0]
    assert len(rig.work("llm")) == 1


def test_a_spoken_turn_is_answered_once_the_words_before_it_are_there() -> None:
    rig = Rig(HEARD)
    ears = rig.listen()
    add(rig, "mine", SECOND)
    recording = rig.take("asr")
    rig.voice_turn(ears, "And what day?")
    assert not rig.work("llm")
    recording.final(0, "What time is it?")
    assert [text for _, text in prompt(rig)] == ["What time is it?", "And what day?"]


def fails(worker: Worker) -> None:
    worker.failed("broken")


def cannot_recognise(worker: Worker) -> None:
    error = Error(code="recognition_failed", message="no")
    worker.say(transcript=Transcript(kind=Transcript.KIND_FINAL, error=error))


def falls_silent(_worker: Worker) -> None:
    pass


def gives_back_what_nobody_takes(worker: Worker) -> None:
    worker.say(released=Released(reason="going"))


@pytest.mark.parametrize(
    ("happens", "after_s", "code"),
    [
        (fails, 0, "broken"),
        (cannot_recognise, 0, "recognition_failed"),
        (falls_silent, 21, "transcription_timeout"),
        (gives_back_what_nobody_takes, 8, "overloaded"),
    ],
)
@pytest.mark.parametrize("config", [HEARD, UNHEARD], ids=["transcribed", "not"])
def test_what_cannot_be_heard_is_told_and_the_call_goes_on(
    config: SessionConfig, happens: Callable[[Worker], None], after_s: float, code: str
) -> None:
    rig = added(config)
    rig.feed(ask.CreateResponse())
    happens(rig.take("asr"))
    rig.wait(after_s)
    failed = [event.error.code for event in rig.of(out.TranscriptionFailed)]
    assert (failed, rig.errors()) == (([code], []) if config is HEARD else ([], [code]))
    assert words(rig) == [InputAudio()]
    assert not list(rig.closes())
    rig.answer("What did you say?")
    assert rig.of(out.ResponseDone)[0].response.status == "completed"
    assert not rig.call.open_leases()


def test_nobody_takes_it() -> None:
    rig = added()
    rig.wait(60)
    assert [event.error.code for event in rig.of(out.TranscriptionFailed)] == ["overloaded"]
    assert not list(rig.closes())


def test_another_attempt_does_it_again() -> None:
    rig = added()
    (work,) = rig.work("asr")
    first = rig.claim(work, 0)
    second = rig.claim(work, 1)
    assert [grant.granted for grant in rig.grants()] == [True, True]
    assert not rig.grants()[-1].HasField("ears")
    first.final(0, "of the first")
    second.final(0, "of the second")
    second.final(0, "again")
    assert [event.transcript for event in rig.of(out.TranscriptionCompleted)] == ["of the second"]
    assert words(rig) == [InputAudio("of the second")]


def test_what_is_lost_on_the_way_is_done_again() -> None:
    rig = added()
    worker = rig.take("asr")
    worker.skip()
    worker.final(0, "lost")
    rig.wait(0.11)
    rig.take("asr").final(0, "Hello.")
    assert words(rig) == [InputAudio("Hello.")]


def test_a_deleted_item_is_not_waited_for() -> None:
    rig = added()
    worker = rig.take("asr")
    rig.feed(ask.CreateResponse())
    assert not rig.work("llm")
    rig.feed(ask.DeleteItem(item_id="mine"))
    assert rig.cancelled() == [worker.work.lease_id]
    assert len(rig.work("llm")) == 1
    worker.final(0, "too late")
    assert not rig.of(out.TranscriptionCompleted)
    assert not rig.stored()


def test_the_work_ends_with_the_call() -> None:
    rig = added()
    rig.feed(ask.Disconnected())
    assert rig.cancelled() == [rig.work("asr")[0].lease_id]


def test_work_that_fails_does_not_end_the_hearing_of_the_call() -> None:
    rig = Rig(HEARD)
    ears = rig.listen()
    add(rig, "mine", SECOND)
    rig.take("asr").failed("broken")
    assert not list(rig.closes())
    rig.voice_turn(ears, "Hello?")
    assert [event.transcript for event in rig.of(out.TranscriptionCompleted)] == ["Hello?"]


def test_a_client_that_says_no_more_gets_the_words() -> None:
    rig = added()
    rig.feed(ask.EndInput())
    assert not list(rig.closes())
    rig.take("asr").final(0, "Hello.")
    assert [event.transcript for event in rig.of(out.TranscriptionCompleted)] == ["Hello."]
    assert [close.code for close in rig.closes()] == [1000]


ODD, LONG = bytes(47_999), bytes(900_002)


@pytest.mark.parametrize(("audio", "code"), [(ODD, "invalid_value"), (LONG, "invalid_value")])
def test_audio_that_is_not_taken_is_named(audio: bytes, code: str) -> None:
    rig = Rig(HEARD)
    add(rig, "mine", SECOND, audio)
    error = rig.of(out.Error)[0].error
    assert (error.code, error.param, error.event_id) == (code, "item.content[1].audio", "e1")
    assert not rig.of(out.ItemAdded)
    assert not rig.work("asr")


def test_an_odd_number_of_bytes_of_g711_is_whole() -> None:
    audio = msgspec.structs.replace(UNHEARD.audio, input=AudioInput(AudioFormat("audio/pcmu")))
    rig = added(msgspec.structs.replace(UNHEARD, audio=audio), ODD)
    assert len(rig.work("asr")) == 1
    assert not rig.errors()


def test_only_so_many_wait_at_a_time() -> None:
    rig = added(limits=Limits(recordings_awaited=2))
    add(rig, "second", SECOND)
    add(rig, "third", SECOND)
    assert rig.errors() == ["too_many_recordings"]
    rig.take("asr").final(0, "Hello.")
    add(rig, "third", SECOND)
    assert len(rig.of(out.ItemAdded)) == 3


def test_its_audio_can_be_asked_back() -> None:
    rig = added()
    rig.feed(ask.RetrieveItem(item_id="mine"))
    assert rig.of(out.ItemRetrieved)[0].audio == SECOND
    assert [type(effect) for effect in rig.effects].count(Submit) == 1
