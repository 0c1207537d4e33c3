"""Work whose worker was lost: attempts, fencing, gaps in what it says."""

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.lease_table import EARLY_EVENTS
from dialtone.v1.ears_pb2 import EarsInput
from dialtone.v1.turn_pb2 import TextDelta, TurnDone

from .harness import Rig


def test_a_model_that_died_is_taken_up_from_the_text_so_far_and_nothing_is_said_twice() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    first = rig.take("llm")
    first.text("One two. ")
    second = rig.claim(first.work, attempt=1)
    assert rig.grants()[-1].turn.delivered_text == "One two. "
    first.text("Zombie. ")
    second.text("Three four.")
    second.done()
    assert "".join(e.delta for e in rig.of(out.AudioTranscriptDelta)) == "One two. Three four."


def test_the_work_of_a_worker_that_is_gone_is_queued_again_at_once() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.voice_turn(ears)
    first = rig.take("llm")
    first.text("One two. ")
    voice = rig.take("tts")
    first.gone()
    again = rig.work("llm")[-1]
    assert again.attempt_base > first.attempt
    assert rig.cancelled() == [again.lease_id]
    second = rig.claim(again)
    assert rig.grants()[-1].turn.delivered_text == "One two. "
    first.text("Zombie. ")
    first.gone()  # its other work; this is another's now
    second.text("Three four.")
    second.done()
    assert "".join(e.delta for e in rig.of(out.AudioTranscriptDelta)) == "One two. Three four."
    assert len(rig.work("llm")) == 2
    assert rig.work("asr")[-1] is ears.work
    assert voice.work.lease_id not in rig.cancelled()


def test_work_that_every_worker_dies_of_is_given_up() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    for _ in range(3):
        rig.take("llm").gone()
    response = rig.of(out.ResponseDone)[0].response
    assert (response.status, response.status_details.error.code) == ("failed", "worker_gone")


def test_an_attempt_that_was_overtaken_gets_no_grant() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    work = rig.work("llm")[0]
    rig.claim(work, attempt=1)
    rig.claim(work, attempt=0)
    rig.claim(work, attempt=1)
    assert [g.granted for g in rig.grants()[-3:]] == [True, False, False]
    # Deliveries of one message: the one that came late must not take it away from the one that works.
    assert [g.reason for g in rig.grants()[-2:]] == ["superseded", "superseded"]


def test_an_attempt_of_work_that_was_issued_anew_is_told_that_its_message_is_void() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    old, base = llm.work.SerializeToString(), llm.work.attempt_base
    llm.skip()
    llm.text("Lost. ")
    rig.wait(0.11)
    assert rig.work("llm")[-1].attempt_base > base
    rig.claim(type(llm.work).FromString(old), attempt=base + 1)
    assert (rig.grants()[-1].granted, rig.grants()[-1].reason) == (False, "void")


def test_a_call_outlives_any_number_of_ears_as_long_as_each_worked_for_a_while() -> None:
    rig = Rig()
    ears = rig.listen()
    for _ in range(10):
        for _ in range(6):
            rig.speak(1000)
            ears.heard()
        ears.skip()
        ears.heard()
        rig.wait(0.11)
        ears = rig.claim(rig.work("asr")[-1])
    assert not list(rig.closes())


def test_a_voice_that_died_starts_after_what_was_delivered() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("One two.")
    llm.done()
    voice = rig.take("tts")
    voice.audio(0, 300)
    rig.claim(voice.work, attempt=1)
    assert rig.grants()[-1].sentence.delivered_us == 300_000


def test_new_ears_get_the_audio_since_the_last_turn_and_go_on_in_the_middle_of_speech() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.speak(5000)
    start = 4500
    ears.started(1, start)
    rig.speak(1000)
    rig.effects.clear()
    rig.claim(ears.work, attempt=1)
    resume = rig.grants()[-1].ears
    assert resume.in_speech
    assert resume.speech_start_us == start * 1000
    assert resume.next_utterance == 2
    replayed = rig.inputs()
    assert replayed[0].seq == resume.next_seq
    assert replayed[0].start_us <= start * 1000 < replayed[0].start_us + 20_000
    assert [f.seq for f in replayed] == list(range(resume.next_seq, resume.next_seq + len(replayed)))
    assert {f.attempt for f in replayed} == {1}


def test_new_ears_begin_again_with_what_had_no_words_yet_and_it_is_announced_once() -> None:
    rig = Rig()
    ears = rig.listen()
    ears.started(1, 0)
    rig.speak(1000)
    ears.stopped(1, 900)
    new = rig.claim(ears.work, attempt=1)
    assert rig.grants()[-1].ears.next_utterance == 1
    assert rig.grants()[-1].ears.start_us == 0
    new.started(1, 0)
    new.stopped(1, 900)
    new.final(1, "Still there")
    assert rig.types().count("input_audio_buffer.speech_started") == 1
    assert rig.types().count("input_audio_buffer.committed") == 1
    assert rig.work("llm")[0].turn.messages[-1].text == "Still there"


def test_ears_that_missed_inputs_get_them_again() -> None:
    rig = Rig()
    ears = rig.listen()
    rig.speak(200)
    rig.effects.clear()
    ears.say(replay={"from_seq": 8})
    assert [frame.seq for frame in rig.inputs()] == [8, 9, 10, 11]


def test_inputs_wait_for_ears_that_are_not_there_yet() -> None:
    rig = Rig()
    rig.speak(400)
    assert not rig.inputs()
    rig.take("asr")
    assert len(rig.inputs()) == 20
    assert all(isinstance(frame, EarsInput) and frame.attempt == 0 for frame in rig.inputs())


def test_work_whose_events_were_lost_is_issued_anew_above_every_older_attempt() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("One. ")
    llm.skip()
    llm.text("Three. ")
    rig.wait(0.11)
    again = rig.work("llm")[-1]
    assert again.lease_id == llm.work.lease_id
    assert again.attempt_base > 5
    new = rig.claim(again)
    new.text("Two.")
    new.done()
    assert "".join(e.delta for e in rig.of(out.AudioTranscriptDelta)) == "One. Two."


def test_events_that_overtake_others_wait_for_them_and_what_comes_twice_counts_once() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    one, two, three = (llm.send(text=TextDelta(text=text)) for text in ("One. ", "Two. ", "Three."))
    end = llm.send(turn_done=TurnDone(finish_reason=TurnDone.FINISH_REASON_STOP))
    for frame in (one, three, one, end, three, two, two, end):
        rig.feed(frame)
        rig.wait(0.02)
    assert "".join(e.delta for e in rig.of(out.AudioTranscriptDelta)) == "One. Two. Three."
    assert [work.sentence.text.strip() for work in rig.work("tts")] == ["One.", "Two."]  # two at once
    rig.wait(1)
    assert len(rig.work("llm")) == 1


def test_no_more_than_so_many_events_wait_for_one_before_them() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.skip()
    for _ in range(EARLY_EVENTS):
        assert len(rig.work("llm")) == 1
        llm.text("Early.")
    rig.wait(0)
    assert len(rig.work("llm")) == 2


def test_work_that_loses_events_again_and_again_fails_the_response() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    for _ in range(3):
        llm = rig.take("llm")
        llm.skip()
        llm.text("Gap.")
        rig.wait(0.11)
    response = rig.of(out.ResponseDone)[0].response
    assert (response.status, response.status_details.error.code) == ("failed", "lost_events")


def test_a_worker_that_falls_silent_is_replaced() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.take("llm").text("One. ")
    rig.wait(21)
    assert len(rig.work("llm")) == 2


def test_the_end_of_a_call_gives_up_every_lease() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    rig.take("llm").text("One two three. Four")
    rig.take("tts")
    rig.feed(ask.Disconnected())
    assert rig.call.open_leases() == 0
    submitted = {work.lease_id for stage in ("asr", "llm", "tts") for work in rig.work(stage)}
    assert set(rig.cancelled()) == submitted


def test_a_session_ends_when_its_time_is_up() -> None:
    rig = Rig()
    rig.listen()
    rig.wait(3601)
    assert rig.errors() == ["session_expired"]
    assert [close.code for close in rig.closes()] == [1001]


def test_a_worker_whose_work_is_issued_anew_is_told_to_stop_first() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.skip()
    llm.text("Lost. ")
    rig.wait(0.11)
    told = [e for e in rig.effects if isinstance(e, do.Cancel | do.Submit)][-2:]
    assert isinstance(told[0], do.Cancel)
    assert told[0].lease_ids == [llm.work.lease_id]
    assert isinstance(told[1], do.Submit)


def test_a_voice_that_fell_silent_too_often_is_told_to_stop() -> None:
    rig = Rig()
    rig.voice_turn(rig.listen())
    llm = rig.take("llm")
    llm.text("One two three.")
    llm.done()
    for _ in range(3):
        rig.take("tts")
        rig.effects.clear()
        rig.wait(15.1)
        assert rig.cancelled() or not rig.work("tts")
    assert rig.cancelled()
    assert rig.errors() == ["worker_silent"]
    assert rig.of(out.ResponseDone)[0].response.status == "completed"


def test_work_that_a_failed_response_gave_up_is_not_issued_again() -> None:
    """The model and a sentence fall due in the same tick; the first ends the second."""
    rig = Rig(limits=Limits(silent_s={"asr": 5, "llm": 5, "tts": 5}))
    rig.voice_turn(rig.listen())
    for _ in range(3):
        llm = rig.take("llm")
        llm.text("One two three. ")
        rig.take("tts")
        rig.now += 6
        rig.feed(do.Tick())
    response = rig.of(out.ResponseDone)[0].response
    assert response.status == "failed"
    ended = next(
        i
        for i, e in enumerate(rig.effects)
        if isinstance(e, do.Send) and isinstance(e.event, out.ResponseDone)
    )
    assert not [e for e in rig.effects[ended:] if isinstance(e, do.Submit)]
    assert rig.call.open_leases() == 1  # the ears
