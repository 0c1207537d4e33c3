"""A turn by voice: the order of what the client is told, and what is stored."""

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import InputAudio, MessageItem, OutputAudio
from dialtone.gateway.core.session import Audio, AudioInput, Extensions, SessionConfig, Transcription
from dialtone.v1.ears_pb2 import Transcript
from dialtone.v1.speech_pb2 import SentenceDone
from dialtone.v1.turn_pb2 import Answerer, Message, TextDelta

from .harness import Rig

TRANSCRIBED = SessionConfig(audio=Audio(input=AudioInput(transcription=Transcription())))


def test_a_voice_turn_tells_the_client_everything_in_the_order_of_the_protocol() -> None:
    rig = Rig(TRANSCRIBED)
    rig.voice_turn(rig.listen())
    rig.answer("It is noon.")
    assert rig.types() == [
        "session.created",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]


def test_both_sides_of_a_turn_are_stored_when_they_complete() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen(), "Hello there.")
    rig.answer("Hello.", "How are you?")
    user, assistant = rig.stored().values()
    assert isinstance(user, MessageItem)
    assert isinstance(assistant, MessageItem)
    assert user.content == [InputAudio("Hello there.")]
    assert assistant.content == [OutputAudio("Hello. How are you?")]
    assert assistant.status == "completed"


def test_previous_item_ids_follow_the_conversation() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    rig.answer("Noon.")
    rig.voice_turn(ears, number=2)
    added = rig.of(out.ItemAdded)
    assert [e.previous_item_id for e in added] == [None, added[0].item.id, added[1].item.id]


def test_the_model_is_asked_with_instructions_and_the_conversation_so_far() -> None:
    rig = Rig(SessionConfig(instructions="Be brief."))
    ears = rig.listen()
    rig.voice_turn(ears, "One?")
    rig.answer("Two.")
    rig.wait(3)  # it is played to its end
    rig.voice_turn(ears, "Three?", number=2)
    asked = rig.work("llm")[-1].turn
    assert [(m.role, m.text) for m in asked.messages] == [
        (Message.ROLE_SYSTEM, "Be brief."),
        (Message.ROLE_USER, "One?"),
        (Message.ROLE_ASSISTANT, "Two."),
        (Message.ROLE_USER, "Three?"),
    ]


def test_an_utterance_without_words_gets_no_answer() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen(), "")
    assert not rig.work("llm")
    assert not rig.of(out.ResponseCreated)


def test_audio_of_sentences_is_sent_in_their_order_whoever_is_faster() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("First one here. Second one here.")
    llm.done()
    first, second = rig.take("tts", 0), rig.take("tts", 1)
    second.audio(0, 100, b"2a")
    second.spoken()
    first.audio(0, 100, b"1a")
    first.spoken()
    assert [e.delta for e in rig.of(out.OutputAudioDelta)] == [b"1a", b"2a"]
    assert [e.index for e in rig.of(out.SentenceSpoken)] == [0, 1]
    assert rig.of(out.ResponseDone)[0].response.status == "completed"


def test_speech_is_synthesised_only_some_seconds_ahead_of_what_was_played() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text(" ".join(f"This is sentence number {n}." for n in range(8)))
    llm.done()
    taken = 0
    while taken < len(rig.work("tts")):
        voice = rig.take("tts", taken)
        voice.audio(0, 4000)
        voice.spoken()
        taken += 1
    assert taken == 3  # two at once; the third when less than 5 s were ahead
    rig.wait(40)
    assert len(rig.work("tts")) > taken


def test_sentences_behind_a_slow_one_are_not_synthesised_without_end() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text(" ".join(f"This is sentence number {n}." for n in range(30)))
    llm.done()
    slow, taken = rig.take("tts", 0), 1
    while taken < len(rig.work("tts")):
        voice = rig.take("tts", taken)
        voice.audio(0, 3000)
        voice.spoken()
        taken += 1
    assert taken == 3  # six seconds wait behind the first
    slow.audio(0, 3000, b"first")
    slow.spoken()
    assert rig.of(out.OutputAudioDelta)[0].delta == b"first"
    rig.wait(5)
    assert len(rig.work("tts")) > taken


def test_the_breakdown_of_a_turn_adds_up_to_its_total() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(1000)
    ears.stopped(1, 600)
    rig.now += 0.1
    ears.final(1, "Hello?")
    rig.now += 0.2
    llm = rig.take("llm")
    llm.text("Hello you.")
    rig.now += 0.05
    llm.done()
    rig.now += 0.15
    rig.take("tts").audio(0, 100)
    timing = rig_timing(rig)
    parts = [
        timing.endpointing_ms,
        timing.asr_ms,
        timing.llm_first_token_ms,
        timing.first_sentence_ms,
        timing.tts_first_chunk_ms,
    ]
    assert parts == [420.0, 100.0, 200.0, 50.0, 150.0]
    assert timing.total_ms == sum(part or 0 for part in parts)


def rig_timing(rig: Rig) -> out.TurnTiming:
    rig.feed(ask.CancelResponse())
    metrics: out.TurnMetrics = rig.of(out.TurnMetrics)[-1]
    return metrics.metrics


def test_a_turn_that_needs_its_transcript_waits_for_it() -> None:
    """Commit and response.create come back to back; the words come later."""
    rig = Rig(SessionConfig(audio=Audio(input=AudioInput(turn_detection=None))))
    ears = rig.listen()
    rig.speak(500)
    rig.feed(ask.CommitAudio())
    rig.feed(ask.CreateResponse())
    assert rig.of(out.ResponseCreated)
    assert not rig.work("llm")
    ears.final(1, "Late words")
    assert rig.work("llm")[0].turn.messages[-1].text == "Late words"


def test_a_transcript_that_never_comes_does_not_hold_the_call() -> None:
    rig = Rig(TRANSCRIBED)
    ears = rig.listen()
    ears.started(1, 0)
    ears.stopped(1, 20)
    rig.wait(25)
    assert rig.of(out.TranscriptionFailed)[0].error.code == "transcription_timeout"
    rig.voice_turn(ears, number=2)
    assert rig.of(out.ResponseCreated)


def test_too_little_audio_is_not_committed() -> None:
    rig = Rig()
    rig.speak(60)
    rig.feed(ask.CommitAudio(event_id="mine"))
    error = rig.of(out.Error)[0].error
    assert (error.code, error.event_id) == ("input_audio_buffer_commit_empty", "mine")


def test_an_hour_of_silence_keeps_only_moments_of_audio() -> None:
    rig = Rig()
    ears = rig.listen()
    for _ in range(3000):
        rig.feed(ask.AppendAudio(audio=b"\0" * 48_000))
        ears.heard()
    rig.claim(rig.work("asr")[0], attempt=1)
    replayed = sum(len(frame.audio) for frame in rig.inputs() if frame.attempt == 1)
    assert replayed <= 3 * 48_000


def test_ending_the_input_finishes_what_is_said_and_closes() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(400)
    rig.feed(ask.EndInput())
    ears.stopped(1, 400)
    ears.final(1, "Bye then")
    ears.say(leg_done={})
    assert not list(rig.closes())
    rig.answer("Good bye.")
    assert [close.code for close in rig.closes()] == [1000]
    assert rig.call.open_leases() == 0


def test_ending_the_input_of_a_call_that_said_nothing_closes_at_once() -> None:
    rig = Rig()
    rig.feed(ask.EndInput())
    assert [close.code for close in rig.closes()] == [1000]


def test_nothing_happens_after_the_end_but_that_claims_are_refused() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    work = rig.work("llm")[0]
    rig.feed(ask.Disconnected())
    rig.effects.clear()
    rig.claim(work)
    assert [type(e) for e in rig.effects] == [do.Answer]
    assert not rig.grants()[0].granted


@pytest.mark.parametrize("wanted", [True, False])
def test_partial_transcripts_are_for_clients_that_ask(wanted: bool) -> None:
    rig = Rig(SessionConfig(dialtone=Extensions(partial_transcripts=wanted)))
    ears = rig.listen()
    assert ears.work.ears.config.transcription.partials is wanted
    ears.started(1, 0)
    ears.transcript(1, Transcript.KIND_PARTIAL, "What")
    assert [e.transcript for e in rig.of(out.PartialTranscript)] == (["What"] if wanted else [])


def test_the_client_is_told_once_that_another_voice_spoke() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("One two three. Four five six.")
    llm.done()
    for index in range(2):
        rig.take("tts", index).say(sentence_done=SentenceDone(notice="fallback voice espeak-ng speaks zh"))
    assert rig.of(out.TurnMetrics)[0].notices == ["fallback voice espeak-ng speaks zh"]


def test_the_breakdown_names_the_models_that_answered_each_once_in_their_order() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    for by in (Answerer(backend="openai", model="big"), None, Answerer(backend="local", model="small")):
        llm.say(text=TextDelta(text="One two ", by=by))
    llm.done()
    rig.take("tts").spoken()
    backends = rig.of(out.TurnMetrics)[0].backends
    assert backends == {"llm": "openai+local", "model": "big+small"}


def test_a_model_with_a_plus_in_its_name_is_one() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    for model in ("a+b", "c+b", "a+b"):
        llm.say(text=TextDelta(text="One two ", by=Answerer(backend="openai", model=model)))
    llm.done()
    rig.take("tts").spoken()
    assert rig.of(out.TurnMetrics)[0].backends["model"] == "a+b+c+b"


def test_the_breakdown_names_who_spoke_each_once_in_their_order() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("One two three. Four five six. Seven eight nine.")
    llm.done()
    spoke = [("ann", "openai"), ("joe+espeak-ng", "piper+espeak-ng"), ("ann", "openai")]
    for index, (voice, backend) in enumerate(spoke):
        rig.take("tts", index).say(sentence_done=SentenceDone(voice=voice, backend=backend))
    backends = rig.of(out.TurnMetrics)[0].backends
    assert backends == {"tts": "openai+piper+espeak-ng", "voice": "ann+joe+espeak-ng"}
