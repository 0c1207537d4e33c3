"""The Prometheus metrics that services share. Labels never hold ids of calls or sessions."""

from prometheus_client import Counter, Gauge, Histogram

from dialtone.telemetry.zeros import shown_from_zero

_WORK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 15, 60, 300, 1800)

WORK_IN_PROGRESS = Gauge("dialtone_work_in_progress", "Leases held now", ["stage"])
WORK_SLOTS = Gauge("dialtone_work_slots", "Leases that may be held at once", ["stage"])
WORK_SECONDS = Histogram(
    "dialtone_work_seconds", "From delivery to end of the work", ["stage", "result"], buckets=_WORK_BUCKETS
)
LEASES = Counter("dialtone_leases", "Leases by how they ended", ["stage", "result"])
REDELIVERIES = Counter("dialtone_redeliveries", "Deliveries of work that was delivered before", ["stage"])
EXHAUSTED = Counter("dialtone_exhausted_work", "Work given up after the last delivery", ["stage"])

BUS_CONNECTED = Gauge("dialtone_bus_connected", "1 while the broker is connected")
BUS_ERRORS = Counter("dialtone_bus_errors", "Errors that the bus reported", ["kind"])
shown_from_zero(BUS_ERRORS, "slow_consumer")  # others are named as they come: errors of the client library
BUS_RECONNECTS = Counter("dialtone_bus_reconnects", "Connections made after the first")
BUS_UNSENT = Gauge("dialtone_bus_unsent_bytes", "Bytes that the broker's connection has not taken yet")

TASKS = Gauge("dialtone_tasks", "Tasks of the event loop: a number that grows is a leak")
LOOP_LAG = Histogram(
    "dialtone_event_loop_lag_seconds",
    "How late a timer of the event loop fires",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2),
)
LOOP_STALLS = Counter("dialtone_event_loop_stalls", "Times that the event loop stood still for over a second")
LOG_LINES_LOST = Counter("dialtone_log_lines_lost", "Log lines that could not be written, as on a full disk")
