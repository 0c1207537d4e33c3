"""A call that Moshi answers: what it says, and how that is told, cut and counted."""

from __future__ import annotations

import pytest

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import MessageItem, OutputAudio
from dialtone.gateway.core.moshi_limits import blank_session
from dialtone.gateway.core.session import SessionConfig
from dialtone.gateway.dialects.voice_call import VoiceCallDialect
from dialtone.v1.ears_pb2 import TurnDetection
from dialtone.v1.events_pb2 import LegDone

from .harness import Rig
from .moshi_calls import HEARD, MOSHI, PCMU, moshi_of, says, transcripts

# --- what it says


def test_each_utterance_of_moshi_is_a_response_with_its_sound_and_its_words() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    rig.effects.clear()
    says(worker, 1, " Hello", " there.")
    worker.ends(1)
    assert rig.types() == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    assert transcripts(rig) == ["Hello there."]
    says(worker, 2, " Yes")
    worker.ends(2)
    assert [r.response.status for r in rig.of(out.ResponseDone)] == ["completed"] * 2
    assert transcripts(rig) == ["Hello there.", "Yes"]


def test_the_call_has_a_lease_of_its_variant_and_no_ears() -> None:
    rig = Rig(blank_session("moshi-base", ""))
    rig.speak(20)
    assert not rig.work("asr")
    leg = rig.work("moshi")[0].moshi
    assert (leg.model, leg.format.sample_rate, leg.output_format.sample_rate) == ("base", 24_000, 24_000)
    rig.take("moshi")
    assert rig.grants()[-1].moshi.next_utterance == 1
    assert [frame.audio for frame in rig.inputs()]


def test_an_utterance_without_words_is_told_as_sound_alone() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    worker.begins(1)
    worker.sounds(1, 80)
    worker.ends(1, tokens=0)
    assert transcripts(rig) == [""]
    assert rig.of(out.ResponseDone)[0].response.status == "completed"


def test_an_utterance_that_was_told_is_not_begun_again() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    says(worker, 2, " Yes")
    worker.ends(2)
    says(worker, 1, " No")
    says(worker, 2, " No")
    assert rig.types().count("response.created") == 1
    assert transcripts(rig) == ["Yes"]


def test_what_moshi_heard_and_said_is_counted() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    worker.begins(1, audio_ms=1_000)
    worker.words(1, "Yes.")
    worker.sounds(1, 500)
    worker.ends(1, tokens=2)
    worker.begins(2, audio_ms=3_000)
    worker.ends(2, tokens=0)
    first, second = (event.response.usage for event in rig.of(out.ResponseDone))
    assert (first.input_token_details.audio_tokens, first.output_token_details.audio_tokens) == (10, 10)
    assert first.output_token_details.text_tokens == 2
    assert (second.input_token_details.audio_tokens, second.output_tokens) == (20, 0)


def test_in_voice_call_sound_comes_at_once_and_text_by_the_sentence() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    dialect = VoiceCallDialect()
    rig.effects.clear()
    says(worker, 1, " It is", " late. ", "Good", " night.")
    worker.ends(1)
    worker.begins(2)
    worker.sounds(2, 80)
    worker.ends(2)
    frames = [frame for event in rig.sent for frame in dialect.encode(event)]
    texts = [frame for frame in frames if isinstance(frame, str)]
    assert [frame for frame in frames if isinstance(frame, bytes)] == [b"\x02\x00"] * 5
    assert [text for text in texts if "late" in text] == ['{"type":"text","code":200,"msg":"It is late."}']
    assert texts[-1] == '{"type":"text","code":200,"msg":"Good night."}'


def test_voice_call_has_moshis_sound_in_wav_files_too_also_where_there_are_no_words() -> None:
    config = MOSHI
    dialect = VoiceCallDialect()
    rig = Rig(config)
    dialect.configure(config)
    dialect._container = "wav"
    worker = moshi_of(rig)
    worker.begins(1)
    worker.sounds(1, 80)
    worker.ends(1)
    frames = [frame for event in rig.sent for frame in dialect.encode(event)]
    assert [frame[:4] for frame in frames if isinstance(frame, bytes)] == [b"RIFF"]


# --- cancelled and cut


def test_a_cancelled_utterance_is_muted_to_its_end_and_the_next_is_heard() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    says(worker, 1, " One", " two")
    rig.now += 0.6
    rig.feed(ask.CancelResponse())
    done = rig.of(out.ResponseDone)[0].response
    assert (done.status, done.status_details.reason) == ("cancelled", "client_cancelled")
    assert transcripts(rig) == ["One"]  # what can have been heard
    rig.effects.clear()
    worker.words(1, " three")
    worker.sounds(1, 80)
    worker.ends(1)
    assert rig.types() == []
    says(worker, 2, " Next")
    assert "response.created" in rig.types()
    assert not rig.cancelled(), "Moshi itself goes on"


def test_a_user_who_speaks_over_moshi_mutes_it_where_the_session_asks_for_that() -> None:
    rig = Rig(HEARD)
    worker = moshi_of(rig)
    ears = rig.take("asr")
    says(worker, 1, " One", " two")
    ears.started(1, 0)
    done = rig.of(out.ResponseDone)[0].response
    assert (done.status, done.status_details.reason) == ("cancelled", "turn_detected")
    assert "input_audio_buffer.speech_started" in rig.types()


def test_a_truncated_utterance_says_no_more_and_keeps_what_was_heard() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    says(worker, 1, " One", " two")
    item_id = rig.of(out.ItemAdded)[0].item.id
    rig.feed(ask.TruncateItem(item_id=item_id, content_index=0, audio_end_ms=500))
    rig.effects.clear()
    worker.words(1, " three")
    worker.sounds(1, 80)
    assert rig.types() == []
    worker.ends(1)
    assert transcripts(rig) == ["One"]
    assert rig.types().count("response.done") == 1


def test_an_utterance_that_is_over_can_be_truncated() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    says(worker, 1, " One", " two", " three")
    worker.ends(1)
    item_id = rig.of(out.ItemAdded)[0].item.id
    rig.feed(ask.TruncateItem(item_id=item_id, content_index=0, audio_end_ms=1_000))
    assert rig.of(out.ItemTruncated)[0].audio_end_ms == 1_000
    assert transcripts(rig) == ["One two"]


# --- beside it, ears


def test_ears_tell_what_the_user_says_and_nothing_answers_it_but_moshi() -> None:
    rig = Rig(HEARD)
    worker = moshi_of(rig)
    ears = rig.take("asr")
    rig.voice_turn(ears, "What time is it?")
    assert rig.of(out.TranscriptionCompleted)[0].transcript == "What time is it?"
    assert "input_audio_buffer.speech_stopped" in rig.types()
    assert not rig.work("llm")
    assert not rig.of(out.ResponseCreated)
    says(worker, 1, " Three.")
    worker.ends(1)
    assert [item.role for item in rig.stored().values() if isinstance(item, MessageItem)] == [
        "user",
        "assistant",
    ]


def test_the_time_from_the_users_last_word_to_moshis_first_sound_is_measured_where_ears_hear() -> None:
    rig = Rig(HEARD)
    worker = moshi_of(rig)
    rig.voice_turn(rig.take("asr"))  # 200 ms of silence at its end
    worker.begins(1)
    rig.now += 0.1
    worker.sounds(1, 80)
    worker.ends(1)
    says(worker, 2, " And")  # nobody asked
    worker.ends(2)
    answer, other = rig.of(out.TurnMetrics)
    assert answer.item_id == next(iter(rig.stored()))
    assert answer.metrics.total_ms == pytest.approx(300, abs=25)
    assert (other.item_id, other.metrics) == (None, out.TurnTiming())


def test_transcription_without_turn_detection_is_cut_by_voice_activity_and_tells_no_speech() -> None:
    config = MOSHI
    rig = Rig(config)
    rig.feed(ask.UpdateSession(patch={"audio": {"input": {"transcription": {"model": "whisper-1"}}}}))
    worker = moshi_of(rig)
    leg = rig.work("asr")[0].ears
    assert leg.config.turn_detection.mode == TurnDetection.MODE_SERVER_VAD
    ears = rig.take("asr")
    says(worker, 1, " Well")
    rig.voice_turn(ears, "Wait")
    assert rig.of(out.TranscriptionCompleted)[0].transcript == "Wait"
    assert "input_audio_buffer.speech_started" not in rig.types()
    assert not rig.of(out.ResponseDone), "and interrupts nothing"


def test_ears_that_are_asked_for_in_the_middle_hear_from_there_on() -> None:
    rig = Rig(MOSHI)
    moshi_of(rig)
    rig.speak(1_000)
    rig.feed(ask.UpdateSession(patch={"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}))
    rig.speak(20)
    rig.take("asr")
    resume = rig.grants()[-1].ears
    assert (resume.start_us, resume.next_seq) == (1_020_000, 1)


def test_a_call_whose_ears_cannot_be_had_goes_on_with_moshi() -> None:
    rig = Rig(HEARD)
    worker = moshi_of(rig)
    for _ in range(10):
        rig.speak(1_000)
        worker.heard_input()
        rig.wait(0)
    assert rig.errors() == ["overloaded"]
    assert not list(rig.closes())
    says(worker, 1, " Here")
    worker.ends(1)
    assert transcripts(rig) == ["Here"]
    rig.feed(ask.CommitAudio())
    assert rig.errors()[-1] == "not_supported_by_model"


# --- formats


def test_another_output_format_counts_from_the_utterance_that_has_it() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    says(worker, 1, " One")
    rig.feed(ask.UpdateSession(patch={"audio": {"output": {"format": {"type": "audio/pcmu"}}}}))
    assert rig.inputs()[-1].output_format == PCMU
    worker.ends(1)
    worker.begins(2)  # before it knew
    worker.ends(2)
    worker.begins(3, form=PCMU)
    worker.ends(3)
    formats = [event.response.audio.output.format.type for event in rig.of(out.ResponseDone)]
    assert formats == ["audio/pcm", "audio/pcm", "audio/pcmu"]
    rig.claim(worker.work, attempt=1)
    assert rig.grants()[-1].moshi.output_format == PCMU


# --- the end


def test_a_call_that_goes_on_with_a_session_has_its_items_and_a_moshi_that_knows_none() -> None:
    before = MessageItem("item_old", "assistant", [OutputAudio("Hello.")])
    rig = Rig(MOSHI, items=[before])
    worker = moshi_of(rig)
    assert (rig.grants()[-1].moshi.next_utterance, rig.grants()[-1].moshi.start_us) == (1, 0)
    says(worker, 1, " Who", " is it?")
    worker.ends(1)
    assert rig.of(out.ItemAdded)[0].previous_item_id == "item_old"


def test_a_client_that_ends_its_input_hears_what_moshi_still_says() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    rig.feed(ask.EndInput())
    assert rig.inputs()[-1].HasField("end")
    says(worker, 1, " Goodbye.")
    worker.ends(1)
    assert not list(rig.closes())
    worker.say(leg_done=LegDone())
    assert next(rig.closes()).code == 1000


def test_a_call_that_ends_in_the_middle_of_an_utterance_keeps_what_was_heard_and_lets_go_of_moshi() -> None:
    rig = Rig(MOSHI)
    worker = moshi_of(rig)
    says(worker, 1, " One", " two")
    rig.now += 0.5
    rig.feed(ask.Disconnected())
    assert rig.cancelled() == [worker.work.lease_id]
    assert transcripts(rig) == ["One"]


@pytest.mark.parametrize(
    ("model", "variant"),
    [("moshi", "sft"), ("moshi-base", "base"), ("moshi-", ""), ("moshiko", None), ("default", None)],
)
def test_the_variant_is_in_the_name_of_the_model(model: str, variant: str | None) -> None:
    assert SessionConfig(model=model).moshi == variant


def test_a_transcription_session_has_ears_whatever_its_model_is_called() -> None:
    rig = Rig(SessionConfig(type="transcription", model="moshi"))
    rig.speak(20)
    assert rig.work("asr")
    assert not rig.work("moshi")
