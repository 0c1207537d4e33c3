"""How a call ends of itself: its client will say no more, or the gateway is to stop.

Either way what was begun is brought to its end first, within bounds.
"""

from __future__ import annotations

from .answers import Answers
from .context import Context
from .effects import Close, GoAway
from .input_turns import InputTurns
from .legs import Legs

NORMAL, SERVICE_RESTART = 1000, 1012


class Departure:
    def __init__(self, context: Context, legs: Legs, turns: InputTurns, answers: Answers) -> None:
        self._ctx = context
        self._legs = legs
        self._turns = turns
        self._answers = answers
        self._ending_due: float | None = None  # the client said that it will say no more
        self._away_by: float | None = None  # the gateway stops then

    @property
    def ending(self) -> bool:
        """The client has ended its input."""
        return self._ending_due is not None

    def end_input(self) -> None:
        if self._ending_due is None:
            self._ending_due = self._ctx.now + self._ctx.limits.closing_s
            self._legs.end()

    def go_away(self, event: GoAway) -> None:
        if self._away_by is None:
            self._away_by = self._ctx.now + event.within_s

    def look(self) -> Close | None:
        """Whether the call is to end now, and how."""
        if self._ending_due is not None and self._said_all(self._ending_due):
            return Close(NORMAL, "")
        if self._away_by is not None and (self._ctx.now >= self._away_by or self._quiet):
            # A client that gets this code comes back by itself, and finds another gateway.
            return Close(SERVICE_RESTART, "the service restarts, call again")
        return None

    def due(self) -> float | None:
        """When to look again."""
        times = [self._ending_due, self._away_by]
        if self._away_by is not None and self._answers.heard_out_at > self._ctx.now:
            times.append(self._answers.heard_out_at)
        return min((time for time in times if time is not None), default=None)

    def _said_all(self, due: float) -> bool:
        if not (self._legs.listening or self._turns.pending or not self._answers.idle):
            return True
        if self._ctx.now < due:
            return False
        if self._answers.idle:
            return True
        self._ending_due = (
            self._ctx.now + self._ctx.limits.closing_s
        )  # an answer ends, well or not, by itself
        return False

    @property
    def _quiet(self) -> bool:
        """Nobody speaks, nothing waits for its answer, and the last one can have been heard."""
        return not self._turns.pending and self._answers.idle and not self._answers.going
