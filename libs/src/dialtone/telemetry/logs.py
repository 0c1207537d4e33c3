"""Structured logs: one line an event on stderr, JSON unless a person reads along.

Whatever a client managed to get into a field stays inside its line: JSON escapes control
characters by itself, and the console form has them escaped before it is rendered.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextvars import Token
from types import TracebackType
from typing import Any, Self, TextIO, cast

import structlog

from dialtone.telemetry.metrics import LOG_LINES_LOST

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", value)
    if isinstance(value, (list, tuple, dict, bytes)):
        return _escape(repr(value))
    return value


def _escape_control(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key != "exception":  # rendered as the block of lines that it is
            event[key] = _escape(value)
        else:
            event[key] = "\n".join(_escape(line) for line in str(value).split("\n"))
    return event


class _Stderr:
    """Standard error as it is now. A line that cannot be written, on a full disk, is lost and counted: the
    work that it tells of goes on."""

    def write(self, text: str) -> int:
        try:
            return sys.stderr.write(text)
        except OSError:
            LOG_LINES_LOST.inc()
            return len(text)

    def flush(self) -> None:
        try:
            sys.stderr.flush()
        except OSError:
            LOG_LINES_LOST.inc()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def configure_logging(service: str, *, level: str = "info", form: str = "json") -> None:
    """Send the logs of this process, those of libraries included, to stderr.

    `form` is "json" or "console".
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    stderr = cast(TextIO, _Stderr())

    def add_service(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        add_service,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    rendering: list[structlog.typing.Processor]
    if form == "json":
        rendering = [structlog.processors.JSONRenderer()]
    else:
        rendering = [_escape_control, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]

    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=stderr),
        cache_logger_on_first_use=False,
    )

    handler = logging.StreamHandler(stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(threshold, logging.INFO))
    # Of the library that carries every message, and of HTTP requests whose URLs may hold secrets,
    # only trouble is news.
    for name in ("nats", "uvicorn", "httpx", "httpcore", "httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a module. Fields go in as keywords: `log.info("granted", attempt=1)`.

    Audio and transcripts are never logged at info level or above.
    """
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(module=name))


class _Bound:
    """What `bind_call` returns; leaving it as a context manager unbinds."""

    def __init__(self, tokens: dict[str, Token[Any]]) -> None:
        self._tokens = tokens

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        structlog.contextvars.reset_contextvars(**self._tokens)


def bind_call(*, call_id: str, session_id: str = "", **more: str | int) -> _Bound:
    """Put the call into every log line of this task from now on, or of a `with` block."""
    fields: dict[str, str | int] = {"call_id": call_id, **more}
    if session_id:
        fields["session_id"] = session_id
    return _Bound(dict(structlog.contextvars.bind_contextvars(**fields)))
