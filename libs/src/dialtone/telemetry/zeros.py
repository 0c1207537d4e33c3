"""Series that are there before they count."""

from prometheus_client import Counter, Gauge, Histogram


def shown_from_zero(metric: Counter | Gauge | Histogram, *labels: str | tuple[str, ...]) -> None:
    """Export the series of these labels (of one that has several, tuples in their order) at once.

    A series that begins with a 1 has not increased, for Prometheus: what happened first would be in no rate,
    and an alert on it would wait for the second time (prometheus.io, "Instrumentation", "Avoid missing
    metrics").
    """
    for of_one in labels:
        metric.labels(*((of_one,) if isinstance(of_one, str) else of_one))
