"""The client's player: which answers can still be playing there."""

from __future__ import annotations

from .context import Context
from .response import Response

# Answers that are watched for being interrupted after they were sent, at most.
PLAYING_KEPT = 16


class Player:
    """Answers are played one after the other, each from when it came or the one before was over."""

    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._sent: list[Response] = []  # that are over, their sound perhaps still playing
        self.busy_until = 0.0  # as far as the answers that are over go

    def sent(self, response: Response) -> None:
        """The response is over: all that there is of its sound was sent."""
        now = self._ctx.now
        playing = [r for r in self._sent if r.speech.playback.unplayed_us(now)]
        self._sent = [*playing, response][-PLAYING_KEPT:]
        self.busy_until = max(self.busy_until, response.speech.playback.ends_at)

    def silenced(self) -> None:
        """The client plays no more of what it was sent; what it heard of that, it may still say."""
        self.busy_until = 0.0

    def interrupted(self) -> list[tuple[str, int]]:
        """The client plays no more: the messages, and how many us of each were played by now."""
        played = [
            (response.message_id, response.speech.playback.played_us(self._ctx.now))
            for response in self._sent
            if response.message_id is not None
        ]
        self._sent.clear()
        self.busy_until = 0.0
        return played
