"""How often something may happen: token buckets, one for each who does it, and a bound on their number."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass, field

# Those who came last; beyond that the longest gone is forgotten. It takes as many addresses to be
# forgotten before one's bucket is full again, and that is a flood of another kind.
_KNOWN = 10_000
_BURST_S = 15.0  # of the steady rate, that may come at once
_IPV6_NETWORK = 64  # bits: the smallest network that one client has to itself


@dataclass(slots=True)
class Bucket:
    """Tokens that come at `per_s` and are kept up to `most`; begins full."""

    per_s: float
    most: float
    _tokens: float = field(init=False)
    _at: float = -math.inf

    def __post_init__(self) -> None:
        self._tokens = self.most

    def take(self, now: float) -> float:
        """Take a token, or say in how many seconds there will be one. `now` is of a monotonic clock."""
        self._fill(now)
        if self._tokens < 1:
            return (1 - self._tokens) / self.per_s
        self._tokens -= 1
        return 0.0

    def spend(self, number: int, now: float) -> float:
        """Take so many, those that are not there on credit; in how many seconds that is paid back."""
        self._fill(now)
        self._tokens -= number
        return max(0.0, -self._tokens / self.per_s)

    def _fill(self, now: float) -> None:
        self._tokens = min(self.most, self._tokens + (now - self._at) * self.per_s)
        self._at = now


class Rates:
    """A bucket for each key, a quarter of a minute's worth in each, or `at_once` where that is more."""

    def __init__(self, per_minute: int, *, at_once: int = 1) -> None:
        self._per_s = per_minute / 60
        self._most = max(float(at_once), self._per_s * _BURST_S)
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Seconds that this one has to wait, 0 if it need not."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._per_s, self._most)
            if len(self._buckets) > _KNOWN:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(now)


def network_of(host: str) -> str:
    """What of a client's address it cannot change at will."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))
