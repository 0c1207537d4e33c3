"""The broker is away: workers can neither be told nor heard, and are not to blame for it.

The client is told when this is more than a moment, for it hears nothing, and the call waits some time for
the broker to come back. What workers said meanwhile is lost, and some of them have nothing more to say:
each is to be heard from soon, or its work is issued anew.
"""

from __future__ import annotations

from .context import Context
from .effects import BrokerSeen, Close

TRY_AGAIN_LATER = 1013


class Outage:
    def __init__(self, context: Context) -> None:
        self._ctx = context
        self._since: float | None = None  # while the broker is away
        self._told = False

    @property
    def now(self) -> bool:
        """The broker is away."""
        return self._since is not None

    def broker_seen(self, event: BrokerSeen) -> None:
        if not event.connected:
            if self._since is None:
                self._since, self._told = self._ctx.now, False
        elif self._since is not None:
            self._since = None
            for lease in self._ctx.leases.all():
                lease.doubt(self._ctx.now, by=self._ctx.now + self._ctx.limits.broker_back_s)

    def look(self) -> Close | None:
        """Tell the client when it is time; whether the call is to end now, and how."""
        if self._since is None:
            return None
        if not self._told and self._ctx.now >= self._since + self._ctx.limits.broker_missed_s:
            self._told = True
            message = "The service is not available; the call goes on as soon as it is."
            self._ctx.error("bus_unavailable", message, type="server_error")
        if self._ctx.now >= self._since + self._ctx.limits.broker_away_s:
            return Close(TRY_AGAIN_LATER, "the service is not available")
        return None

    def due(self) -> float | None:
        """When to look again."""
        if self._since is None:
            return None
        limits = self._ctx.limits
        return self._since + (limits.broker_away_s if self._told else limits.broker_missed_s)
