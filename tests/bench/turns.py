"""What a client sees of one turn, and whether it was answered as it should be."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from tests.bench.playout import Playout

AUDIO = "response.output_audio.delta"
DONE = "response.done"
_STEPS = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "response.created",
    AUDIO,
    "response.output_audio.done",
    DONE,
)
"""The events of a turn in their order. Each comes once, audio as often as it likes."""


@dataclass(slots=True)
class TurnResult:
    """One turn as written to the results; times in ms. `failure` is empty when it was answered in full."""

    call: int
    turn: int
    question: str
    failure: str = ""
    v2v_ms: float | None = None
    late_chunks: int = 0
    late_ms: float = 0.0
    answer_s: float = 0.0
    spoken_at: float = 0.0  # monotonic: when the question's last frame had been written
    parts: dict[str, float] = field(default_factory=dict)  # as the gateway tells them
    answer: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class TurnRecorder:
    """Takes in the events of one turn. No I/O: times are arguments, seconds on one monotonic clock."""

    def __init__(self, call: int, turn: int, question: str) -> None:
        self.result = TurnResult(call, turn, question)
        self.playout = Playout()
        self.over = False
        """Answered in full, or failed."""
        self.heard = False
        """A sample that is not silence has come."""
        self._spoken_at: float | None = None
        self._step = -1

    def spoken(self, now: float) -> None:
        """The frame with the last sample of the question that is not silence has been written."""
        self._spoken_at = self.result.spoken_at = now

    def event(self, kind: str, *, status: str = "completed") -> None:
        """A server event other than audio; kinds that have no place in the order are passed over."""
        if kind not in _STEPS:
            return
        step = _STEPS.index(kind)
        if step != self._step + 1:
            before = _STEPS[self._step] if self._step >= 0 else "the start"
            self.fail(f"wrong order: {kind} after {before}")
        elif kind == _STEPS[1] and self._spoken_at is None:
            self.fail("the turn was ended before the question was")
        elif kind == DONE:
            if status != "completed":
                self.fail(f"the response is {status}")
            elif not self.heard:
                self.fail("nothing is to be heard of the answer")
            self.over = True
        self._step = step

    def audio(self, duration_s: float, now: float, *, loud: bool) -> None:
        """A chunk of the answer; `loud`: it holds a sample that is not silence."""
        if self._step not in (3, 4):
            self.event(AUDIO)
        self._step = 4
        self.playout.chunk(duration_s, now)
        if loud and not self.heard:
            self.heard = True
            if self._spoken_at is not None:
                self.result.v2v_ms = (now - self._spoken_at) * 1e3

    def fail(self, why: str) -> None:
        """The turn is not as it should be; the first reason stands."""
        self.result.failure = self.result.failure or why
        self.over = True

    def close(self) -> TurnResult:
        """The result, when nothing more will come."""
        result, playout = self.result, self.playout
        result.late_chunks, result.late_ms = playout.late_chunks, playout.late_s * 1e3
        result.answer_s = playout.audio_s
        return result
