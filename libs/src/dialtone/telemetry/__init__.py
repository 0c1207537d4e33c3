"""Structured logs, metrics, and the probe of the event loop."""

from dialtone.telemetry.logs import bind_call, configure_logging, get_logger
from dialtone.telemetry.loop_lag import watch_loop_lag
from dialtone.telemetry.tasks import count_tasks
from dialtone.telemetry.zeros import shown_from_zero

__all__ = [
    "bind_call",
    "configure_logging",
    "count_tasks",
    "get_logger",
    "shown_from_zero",
    "watch_loop_lag",
]
