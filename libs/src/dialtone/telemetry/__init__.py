"""Structured logs, metrics, and the probe of the event loop."""

from dialtone.telemetry.logs import bind_call, configure_logging, get_logger
from dialtone.telemetry.loop_lag import watch_loop_lag

__all__ = ["bind_call", "configure_logging", "get_logger", "watch_loop_lag"]
