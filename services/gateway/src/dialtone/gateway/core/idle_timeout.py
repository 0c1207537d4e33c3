"""The user says nothing after an answer: after `idle_timeout_ms` the silence is a turn of its own.

The time runs from when the answer can have been heard to its end, anew from whatever happens
meanwhile, and once for each answer. Answers to silence are followed by a timeout too, up to a few in a
row: a client that was forgotten is not talked to for ever.
"""

from __future__ import annotations

from .answers import Answers
from .context import Context
from .input_turns import InputTurns
from .items import FunctionCallItem
from .session import ServerVad

# What the model is told, in that turn alone.
NOTE = (
    "The user has said nothing for a while after your last words. Say something short and fitting that "
    "helps the conversation on, such as asking whether they are still there."
)


class IdleTimeout:
    def __init__(self, context: Context, turns: InputTurns, answers: Answers) -> None:
        self._ctx = context
        self._turns = turns
        self._answers = answers
        self._busy = False  # as of the last look
        self._since = 0.0  # when something happened last
        self._after = 0  # of the answers, the one that was followed by a timeout last
        self._in_a_row = 0

    def look(self) -> None:
        """After each event of the call: whether somebody speaks, or is about to."""
        awaited = self._turns.pending or self._answers.words_awaited
        busy = awaited or self._answers.active is not None
        if busy or self._busy:
            self._since = self._ctx.now
        self._busy = busy

    def stirred(self) -> None:
        """There is somebody: the user says words, the client asks for something."""
        self._since, self._in_a_row = self._ctx.now, 0

    @property
    def _timeout_ms(self) -> int | None:
        """The session's, while it may run out."""
        detection = self._ctx.config.audio.input.turn_detection
        if not isinstance(detection, ServerVad) or self._busy or self._answers.given == self._after:
            return None
        if self._in_a_row >= self._ctx.limits.idle_answers:
            return None
        conversation = self._ctx.conversation
        if conversation.last_id and isinstance(conversation.get(conversation.last_id), FunctionCallItem):
            return None  # it is the user who waits
        return detection.idle_timeout_ms

    def due(self) -> float | None:
        timeout_ms = self._timeout_ms
        if timeout_ms is None:
            return None
        return max(self._since, self._answers.heard_out_at) + timeout_ms / 1000

    def trigger(self) -> None:
        """Make a turn of the silence, if it has lasted."""
        timeout_ms, due = self._timeout_ms, self.due()
        if timeout_ms is None or due is None or due > self._ctx.now:
            return
        self._after = self._answers.given
        self._in_a_row += 1
        item_id = self._turns.commit_silence(timeout_ms * 1000)
        if self._ctx.config.answers_turns:
            self._answers.begin(item_id, note=NOTE)
