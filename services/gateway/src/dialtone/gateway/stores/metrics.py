"""Prometheus metrics of the stores."""

from prometheus_client import Counter, Gauge

from dialtone.telemetry import shown_from_zero

FAILURES = Counter("dialtone_store_failures", "Operations that a store could not do", ["store"])
shown_from_zero(FAILURES, "redis", "sql")
STORE_UP = Gauge("dialtone_store_up", "1 while the store answers", ["store"])
OUTBOX_ENTRIES = Gauge("dialtone_store_outbox_entries", "Writes that wait for SQL")
OUTBOX_LOST = Counter("dialtone_store_outbox_lost", "Writes that never reached SQL", ["reason"])
shown_from_zero(OUTBOX_LOST, "full", "stopped", "refused", "displaced", "deleted")
LIVE_STALE = Gauge("dialtone_store_live_stale_sessions", "Sessions whose Redis copy missed a write")
