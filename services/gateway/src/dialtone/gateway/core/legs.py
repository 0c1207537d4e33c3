"""Who hears the call: its ears, or Moshi, and ears beside it where a session asks what its user says."""

from __future__ import annotations

from .context import Context
from .ears_link import EarsLink
from .leg_link import LegLink
from .moshi_link import MoshiLink


class Legs:
    def __init__(self, context: Context) -> None:
        self._ctx = context
        self.ears = EarsLink(context)
        self.moshi = MoshiLink(context) if context.config.moshi is not None else None
        self._all: list[LegLink] = [self.ears] if self.moshi is None else [self.moshi, self.ears]

    @property
    def has_ears(self) -> bool:
        """Somebody tells, or will tell, what the user says. Ears that a call has stay with it."""
        return not self.ears.given_up and (self.ears.leased or self._ctx.config.wants_ears)

    def append(self, audio: bytes) -> None:
        """Audio in the client's format, of any length."""
        for leg in self._all:
            if leg is self.ears and not self.has_ears:
                self.ears.pass_over(audio)
                continue
            leg.lease()
            leg.append(audio)

    def brought_too_fast(self, *, since: float) -> bool:
        """Nobody speaks that fast, and a recording would have been over. `since`: when the call began."""
        limits = self._ctx.limits
        most_s = (self._ctx.now - since) * limits.audio_speed + limits.audio_at_once_s
        return limits.audio_at_once_s > 0 and self.ears.input_us > most_s * 1_000_000

    def by_lease(self, lease_id: str) -> LegLink | None:
        return next((leg for leg in self._all if leg.leased and leg.lease_id == lease_id), None)

    @property
    def full(self) -> bool:
        """So much waits to be sent that no more is to be taken from the client for now."""
        return any(leg.full for leg in self._all)

    @property
    def behind(self) -> int:
        """How many of them have not heard all."""
        return sum(leg.unheard_since is not None for leg in self._all)

    @property
    def listening(self) -> bool:
        """One of them is not at its end."""
        return any(self._ctx.leases.get(leg.lease_id) is not None for leg in self._all)

    def end(self) -> None:
        """No more audio will come."""
        for leg in self._all:
            if leg.leased:
                leg.end()

    def reconfigure(self) -> None:
        """Tell them what changed in the session."""
        for leg in self._all:
            leg.reconfigure()
