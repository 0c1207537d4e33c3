"""What a caller has heard of one answer."""

from __future__ import annotations

from tests.bench.playout import Playout
from tests.load.lines import Turn


class Answer:
    """Takes in one answer. No I/O: times are arguments, seconds on one monotonic clock."""

    def __init__(self, stop_from: float | None = None) -> None:
        """`stop_from`: when the question began, if it is spoken into another answer."""
        self.playout = Playout()
        self.heard = False
        """A sample that is not silence has come."""
        self.over = False
        """Nothing more will come, or the turn has failed."""
        self.failure = ""
        self.interrupted = False
        self._stop_from = stop_from
        self._stop_ms: float | None = None
        self._spoken_at: float | None = None
        self._first_ms: float | None = None
        self._v2v_ms: float | None = None

    @property
    def asked(self) -> bool:
        """The question has been spoken to its end."""
        return self._spoken_at is not None

    def spoken(self, now: float) -> None:
        """The question's last sample has been sent."""
        self._spoken_at = now

    def stopped_another(self, now: float) -> None:
        """The server has noticed that this question is spoken into an answer."""
        if self._stop_from is not None and self._stop_ms is None:
            self._stop_ms = (now - self._stop_from) * 1e3

    def audio(self, duration_s: float, now: float, *, loud: bool) -> None:
        """A chunk came; `loud`: it holds a sample that is not silence."""
        if self._spoken_at is None:
            self.fail("answered before the question was over")
            return
        if self._first_ms is None:
            self._first_ms = (now - self._spoken_at) * 1e3
        self.playout.chunk(duration_s, now)
        if loud and not self.heard:
            self.heard = True
            self._v2v_ms = (now - self._spoken_at) * 1e3

    def end(self) -> None:
        """It is complete."""
        if not self.heard:
            self.fail("nothing is to be heard of the answer")
        self.over = True

    def fail(self, why: str) -> None:
        """The turn is not as it should be; the first reason stands."""
        self.failure = self.failure or why
        self.over = True

    def turn(self, call: int) -> Turn:
        """What is to be told of it."""
        return Turn(
            call,
            self.failure,
            self._v2v_ms,
            self._first_ms,
            self.playout.late_s * 1e3,
            self.interrupted,
            self._stop_ms,
        )
