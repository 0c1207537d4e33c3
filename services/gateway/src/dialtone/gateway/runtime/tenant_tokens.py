"""How many tokens the calls of one tenant may use here in a minute: one's bound does not bound a hundred."""

from __future__ import annotations

import time

from dialtone.gateway.core.rate_limits import RateWindow


class TenantTokens:
    """What the calls of each tenant have used. Tenants are those of keys: as many as the operator named."""

    def __init__(self, per_minute: int) -> None:
        """`per_minute`: 0 sets no limit."""
        self._per_minute = per_minute
        self._used: dict[str, RateWindow] = {}

    def use(self, tenant: str, tokens: int) -> None:
        """A response that is over used so many."""
        if self._per_minute and tokens:
            window = self._used.setdefault(tenant, RateWindow("tokens", self._per_minute))
            window.use(tokens, time.monotonic())

    def spent_for(self, tenant: str) -> float:
        """Seconds until something is left; 0 when there is."""
        window = self._used.get(tenant)
        return window.exhausted_for(time.monotonic()) if window is not None else 0.0
