"""What the operator is to see of clients that reach for what is not theirs.

A session of another tenant is to a client as one that is not there, and it is so to the gateway, which looks
for it among the client's own alone: a line here may be of either. It says who asked, from where and for
what; neither the id, which may be anything, nor what the client is answered.
"""

from __future__ import annotations

import time
from collections import Counter as Tally

from prometheus_client import Counter
from starlette.requests import HTTPConnection

from dialtone.gateway.runtime.rates import Rates
from dialtone.telemetry import get_logger, shown_from_zero

log = get_logger(__name__)

# Lines about one tenant, a quarter of them at once: no flood fills the log, nor hides another tenant's.
LINES_PER_MINUTE = 60

foreign_sessions = Counter(
    "dialtone_gateway_foreign_sessions_total",
    "Sessions named that are not of the tenant who named them, by what was asked",
    ["asked"],
)
RESUME, VOICE_CALL, BIND_SECRET = "realtime.resume", "voice_call.resume", "client_secrets.create"
READ, CHANGE, DELETE = "sessions.read", "sessions.change", "sessions.delete"
shown_from_zero(foreign_sessions, RESUME, VOICE_CALL, BIND_SECRET, READ, CHANGE, DELETE)


class Audit:
    """Writes the lines of one gateway. Tenants are those of keys, so what it remembers of them is bounded."""

    def __init__(self) -> None:
        self._rates = Rates(LINES_PER_MINUTE)
        self._left_out: Tally[str] = Tally()

    def foreign_session(self, tenant: str, asked: str, client: HTTPConnection) -> None:
        """Somebody with a key of this tenant, or a secret, named a session that is not the tenant's, or not
        the secret's. `asked` is one of the names above."""
        foreign_sessions.labels(asked).inc()
        if self._rates.take(tenant, time.monotonic()) > 0:
            self._left_out[tenant] += 1
            return
        log.warning(
            "a session was named that is not the client's",
            tenant=tenant,
            asked=asked,
            address=client.client.host if client.client else None,
            left_out=self._left_out.pop(tenant, 0),
        )
