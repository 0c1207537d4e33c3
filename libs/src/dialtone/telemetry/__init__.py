"""Structured logs, metrics, and the probe of the event loop."""

from dialtone.telemetry.logs import bind_call, configure_logging, get_logger
from dialtone.telemetry.loop_lag import watch_loop_lag
from dialtone.telemetry.tasks import count_tasks

__all__ = ["bind_call", "configure_logging", "count_tasks", "get_logger", "watch_loop_lag"]
