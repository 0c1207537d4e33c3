"""Stops asking a server that fails every time, so that callers are told at once instead of late."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dialtone.telemetry import get_logger, shown_from_zero
from dialtone.vendors.failures import UpstreamFailure
from dialtone.vendors.limits import BreakerLimits
from dialtone.vendors.metrics import UpstreamMetrics

log = get_logger(__name__)

_OF_THE_SERVER = {
    "bad_upstream",
    "overloaded",
    "timeout",
    "upstream_cut",
    "upstream_error",
    "upstream_unreachable",
}


class Breaker:
    """Of one server. Closed, it lets every request through; `breaker_failures` of them in a row that failed
    by the server's fault within `breaker_window_s` open it.

    Open, it refuses all for `breaker_open_s`, then lets one through at a time: one that works closes it, one
    that fails opens it anew. A server that refuses a request for what it is (its key, its length) works.
    Every failure is counted and written down.
    """

    def __init__(
        self,
        backend: str,
        limits: BreakerLimits,
        metrics: UpstreamMetrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`backend` is the server's label in `metrics`."""
        self._backend = backend
        self._metrics = metrics
        self._limits = limits
        self._clock = clock
        self._failures: deque[float] = deque(maxlen=limits.breaker_failures)
        self._opened_at: float | None = None
        self._probing = False
        shown_from_zero(metrics.open_breakers, backend)
        shown_from_zero(metrics.passed_over, backend)

    @property
    def open(self) -> bool:
        """Whether requests are refused, all or all but one."""
        return self._opened_at is not None

    @property
    def refuses(self) -> bool:
        """Whether a request made now would be refused."""
        if self._opened_at is None:
            return False
        return self._probing or self._clock() - self._opened_at < self._limits.breaker_open_s

    @contextmanager
    def request(self) -> Iterator[None]:
        """Make a request inside the block. Raises UpstreamFailure("overloaded") where none is to be made."""
        probe = self._admit()
        try:
            yield
        except UpstreamFailure as failure:
            self._tell(failure)
            if failure.code in _OF_THE_SERVER:
                self._failed()
            else:
                self.worked()
            raise
        finally:
            if probe:
                self._probing = False

    def passed_over(self) -> None:
        """Note that the next of a list is asked in its place."""
        self._metrics.passed_over.labels(self._backend).inc()

    def worked(self) -> None:
        """Note that the server has begun to answer."""
        self._failures.clear()
        if self._opened_at is not None:
            self._opened_at = None
            self._metrics.open_breakers.labels(self._backend).dec()
            log.info("model's server answers again", backend=self._backend)

    def _admit(self) -> bool:
        """Let a request through; whether it is the one that tries an open breaker."""
        if self._opened_at is None:
            return False
        if self.refuses:
            refused = UpstreamFailure("overloaded", "the server has failed again and again just now")
            self._tell(refused)
            raise refused
        self._probing = True
        return True

    def _tell(self, failure: UpstreamFailure) -> None:
        self._metrics.failures.labels(self._backend, failure.code).inc()
        level = log.error if failure.code == "invalid_api_key" else log.warning
        level("server failed", backend=self._backend, code=failure.code, reason=failure.message)
        log.debug("what the server said", backend=self._backend, detail=failure.detail)

    def _failed(self) -> None:
        now = self._clock()
        self._failures.append(now)
        if self._opened_at is not None:
            self._opened_at = now
        elif (
            len(self._failures) == self._limits.breaker_failures
            and now - self._failures[0] <= self._limits.breaker_window_s
        ):
            self._opened_at = now
            self._metrics.open_breakers.labels(self._backend).inc()
            log.error("model's server is not asked for a while", backend=self._backend)
