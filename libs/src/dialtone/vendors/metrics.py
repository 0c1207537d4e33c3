"""What each stage counts of the servers that it asks, by one set of names."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Counter, Gauge


@dataclass(frozen=True, slots=True)
class UpstreamMetrics:
    """Of one stage."""

    failures: Counter
    """Labels: backend, code."""
    passed_over: Counter
    """Label: backend."""
    open_breakers: Gauge
    """Label: backend."""


def upstream_metrics(stage: str, pieces: str) -> UpstreamMetrics:
    """Make those of a stage: `dialtone_{stage}_upstream_failures_total` and so on. `pieces` are what it asks
    its servers about, such as "Sentences"."""
    return UpstreamMetrics(
        failures=Counter(
            f"dialtone_{stage}_upstream_failures", f"{pieces} that a server failed on", ["backend", "code"]
        ),
        passed_over=Counter(
            f"dialtone_{stage}_passed_over",
            f"{pieces} given to the next of a list, the server of the one before it being left alone",
            ["backend"],
        ),
        open_breakers=Gauge(
            f"dialtone_{stage}_open_breakers", "Servers that are not asked just now", ["backend"]
        ),
    )
