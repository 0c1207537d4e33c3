"""How many calls one tenant may have here at once: the others are to find room as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from dialtone.gateway.runtime.refusals import too_many_calls


class TenantPlaces:
    """The places of each tenant at this gateway."""

    def __init__(self, most: int) -> None:
        """`most`: calls of one tenant; 0: as many as the gateway takes."""
        self._most = most
        self._taken: Counter[str] = Counter()

    @contextmanager
    def place(self, tenant: str) -> Iterator[None]:
        """A place for one call, from its handshake to its end. Raises Refusal."""
        if self._most and self._taken[tenant] >= self._most:
            raise too_many_calls()
        self._taken[tenant] += 1
        try:
            yield
        finally:
            self._taken[tenant] -= 1
            if not self._taken[tenant]:
                del self._taken[tenant]
