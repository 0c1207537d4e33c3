"""What dashboards are made of, and the queries that many panels share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SECONDS, RATE, COUNT, BYTES, SHARE = "s", "cps", "short", "bytes", "percentunit"


@dataclass(frozen=True, slots=True)
class Query:
    """One line, or one for each group of it."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph over time."""

    title: str
    unit: str
    queries: Sequence[Query]
    says: str
    """What a reader is to make of it."""


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. `rows`: their titles, and what is in them."""

    uid: str
    title: str
    rows: Sequence[tuple[str, Sequence[Panel]]]


def rate(metric: str, by: str = "") -> str:
    """How often something happens, a second, in all processes together or by a label."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}[$__rate_interval]))"


def per_stage(metric: str) -> str:
    """A gauge of workers, of all of a stage together."""
    return f"sum by (stage) ({metric})"


def quantile(of: float, metric: str, by: str = "", where: str = "") -> str:
    """A quantile of a histogram, over all processes together or by a label."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({of}, sum by ({labels}) (rate({metric}_bucket{where}[$__rate_interval])))"


def quantiles(metric: str, where: str = "") -> list[Query]:
    """The three that one looks at."""
    return [
        Query(quantile(of, metric, where=where), name)
        for name, of in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    ]
