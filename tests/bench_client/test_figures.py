"""The bench's own arithmetic: what is counted, what is left out, what is late."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from tests.bench.figures import markdown_table, percentiles, summary
from tests.bench.playout import Playout
from tests.bench.question import FRAME_SAMPLES, RATE, load_question
from tests.bench.turns import AUDIO, DONE, TurnRecorder, TurnResult

ORDERLY = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "response.created",
)


def answered_turn(call: int, turn: int, v2v_ms: float) -> dict[str, object]:
    return TurnResult(call, turn, "q", v2v_ms=v2v_ms).as_dict()


def test_overhead_is_v2v_minus_the_floor_without_the_first_turn_of_each_call() -> None:
    turns = [answered_turn(0, 0, 9_000.0), *(answered_turn(0, n, 500.0 + n) for n in range(1, 101))]
    figures = summary(turns, floor_ms=500.0)
    assert figures["turns"] == 100
    assert figures["failed"] == 0
    assert figures["overhead_ms"] == {"p50": 50.5, "p95": 95.05, "p99": 99.01, "max": 100.0}


def test_failed_turns_are_counted_with_their_reasons_and_have_no_v2v() -> None:
    failed = TurnResult(1, 1, "q", failure="no answer within 10 s").as_dict()
    figures = summary([answered_turn(0, 1, 550.0), failed], floor_ms=500.0)
    assert (figures["turns"], figures["failed"]) == (2, 1)
    assert figures["failures"] == {"no answer within 10 s": 1}
    assert figures["overhead_ms"]["max"] == 50.0


def test_percentiles_of_nothing_are_nothing() -> None:
    assert percentiles([]) == {}


def test_a_player_that_starts_with_the_first_chunk_hears_a_gap_only_when_it_runs_dry() -> None:
    playout = Playout()
    playout.chunk(0.1, 10.0)
    playout.chunk(0.1, 10.05)  # in time: 50 ms are left
    playout.chunk(0.1, 10.25)  # 50 ms late
    playout.chunk(0.1, 10.34)  # in time: the gap has moved everything back
    assert playout.late_chunks == 1
    assert playout.late_s == pytest.approx(0.05)
    assert playout.ends_at == pytest.approx(10.45)
    assert playout.audio_s == pytest.approx(0.4)


def test_a_turn_is_measured_from_the_last_frame_to_the_first_sound_that_is_not_silence() -> None:
    recorder = TurnRecorder(0, 1, "q")
    recorder.event(ORDERLY[0])
    recorder.spoken(100.0)
    for kind in ORDERLY[1:]:
        recorder.event(kind)
    recorder.audio(0.02, 100.50, loud=False)
    recorder.audio(0.10, 100.53, loud=True)
    recorder.audio(0.10, 100.54, loud=True)
    recorder.event("response.output_audio.done")
    recorder.event(DONE)
    result = recorder.close()
    assert recorder.over
    assert result.failure == ""
    assert result.v2v_ms == pytest.approx(530.0)
    assert result.late_chunks == 1
    assert result.late_ms == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("events", "failure"),
    [
        ([*ORDERLY[:1], ORDERLY[0]], "wrong order"),
        ([*ORDERLY, DONE], "wrong order"),
        ([*ORDERLY[:3], AUDIO], "wrong order"),
        ([*ORDERLY, AUDIO, "response.output_audio.done", DONE], "nothing is to be heard"),
    ],
)
def test_a_turn_whose_events_are_out_of_order_or_silent_has_failed(events: list[str], failure: str) -> None:
    recorder = TurnRecorder(0, 1, "q")
    recorder.spoken(1.0)
    for kind in events:
        if kind == AUDIO:
            recorder.audio(0.1, 2.0, loud=False)
        else:
            recorder.event(kind)
    assert failure in recorder.close().failure


def test_a_turn_that_ends_before_its_question_has_failed() -> None:
    recorder = TurnRecorder(0, 1, "q")
    recorder.event(ORDERLY[0])
    recorder.event(ORDERLY[1])
    assert "before the question" in recorder.close().failure


def test_a_response_that_was_not_completed_is_a_failed_turn() -> None:
    recorder = TurnRecorder(0, 1, "q")
    recorder.spoken(1.0)
    for kind in ORDERLY:
        recorder.event(kind)
    recorder.audio(0.1, 1.5, loud=True)
    recorder.event("response.output_audio.done")
    recorder.event(DONE, status="failed")
    assert recorder.close().failure == "the response is failed"


def test_a_question_ends_with_its_last_sound_at_the_end_of_a_frame(tmp_path: Path) -> None:
    tone = (8_000 * np.sin(np.arange(RATE // 2 + 77) * 0.3)).astype("<i2")
    quiet = np.full(RATE // 10, 40, dtype="<i2")
    path = tmp_path / "question.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.concatenate((quiet, tone, quiet)).tobytes())
    question = load_question(path)
    assert all(len(frame) == 2 * FRAME_SAMPLES for frame in question.frames)
    last = np.frombuffer(question.frames[-1], dtype="<i2")
    assert abs(int(last[-1])) > 164
    assert question.seconds == pytest.approx(0.52)
    assert question.longest_pause_ms == 0


def test_tables_show_what_is_missing_as_a_dash() -> None:
    assert (
        markdown_table(("a", "b"), [("x", None), ("y", 1.25)])
        == "| a | b |\n|---|---:|\n| x | - |\n| y | 1.2 |\n"
    )
