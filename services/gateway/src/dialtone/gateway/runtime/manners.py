"""What a client may do that the protocol allows and nobody does who means a call; its call ends then."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dialtone.gateway.core.effects import Expelled
from dialtone.gateway.runtime.rates import Bucket


@dataclass(frozen=True, slots=True)
class Limits:
    wrong_per_minute: int  # messages that are no event of the protocol
    idle_s: float  # without any message


class Manners:
    """One client's messages, held against the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._wrong = Bucket(limits.wrong_per_minute / 60, limits.wrong_per_minute)

    @property
    def idle_s(self) -> float:
        """How long to wait for a message."""
        return self._limits.idle_s

    def wrong(self) -> Expelled | None:
        """A message was wrong; how the call ends, if that was one too many."""
        if self._wrong.take(time.monotonic()) == 0:
            return None
        message = f"More than {self._limits.wrong_per_minute} messages a minute are no events."
        return Expelled("too_many_errors", message, "too many wrong messages")

    def idle(self) -> Expelled:
        """How the call ends when no message came for too long."""
        minutes = self._limits.idle_s / 60
        return Expelled("session_idle", f"Nothing came for {minutes:.3g} minutes.", "nothing comes")
