"""What is measured of an answer."""

from tests.load.answer import Answer


def test_times_count_from_the_last_sample_of_the_question() -> None:
    answer = Answer()
    answer.spoken(10.0)
    answer.audio(0.02, 10.4, loud=False)
    answer.audio(0.5, 10.41, loud=True)
    answer.audio(0.5, 11.0, loud=True)
    answer.end()
    turn = answer.turn(7)
    assert (turn.call, turn.failure) == (7, "")
    assert turn.first_audio_ms is not None
    assert turn.v2v_ms is not None
    assert (round(turn.first_audio_ms), round(turn.v2v_ms), round(turn.gap_ms)) == (400, 410, 80)


def test_an_answer_of_silence_is_a_failure() -> None:
    answer = Answer()
    answer.spoken(1.0)
    answer.audio(1.0, 1.5, loud=False)
    answer.end()
    assert answer.turn(1).failure == "nothing is to be heard of the answer"


def test_an_answer_before_the_end_of_the_question_is_a_failure() -> None:
    answer = Answer()
    answer.audio(0.1, 1.0, loud=True)
    answer.spoken(2.0)
    assert answer.turn(1).failure == "answered before the question was over"


def test_an_interruption_is_timed_from_its_first_sample() -> None:
    answer = Answer(stop_from=5.0)
    answer.stopped_another(5.2)
    answer.stopped_another(6.0)  # the same speech, after a pause
    stop_ms = answer.turn(1).stop_ms
    assert stop_ms is not None
    assert round(stop_ms) == 200
