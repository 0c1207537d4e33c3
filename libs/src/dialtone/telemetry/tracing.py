"""Traces that follow a turn through the broker: one trace a turn, one span a stage.

The ids of a trace are made of the ids that every stage knows, so that no stage has to tell another: ears and
gateway name the same trace by the call and its utterance. What the gateway queues carries the context, as
W3C trace context (www.w3.org/TR/trace-context). The span of the turn itself has the id that all others name
as their parent, and is made last, by the gateway, when the turn is over.

Nothing is traced until `configure_tracing` finds where to: OTEL_EXPORTER_OTLP_ENDPOINT, or
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, and the other variables of OpenTelemetry's SDK. For a share of the turns
use OTEL_TRACES_SAMPLER=traceidratio, which decides the same in every process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FLUSH_MS = 2000
_tracer = trace.get_tracer("dialtone")
_propagator = TraceContextTextMapPropagator()
_preset: ContextVar[tuple[int, int] | None] = ContextVar("preset", default=None)

Attributes = Mapping[str, str | int | float | bool]


@contextmanager
def stage_span(
    name: str,
    context: str,
    attributes: Attributes | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    began: float | None = None,
) -> Iterator[Span]:
    """A stage's part of the turn that the traceparent `context` names; without one, of a trace of its own.

    `began`: seconds on the monotonic clock, if that was earlier. An exception ends it as an error, a
    cancellation does not: it is `dialtone.cancelled`.
    """
    parent = _propagator.extract({"traceparent": context}, context=Context()) if context else Context()
    with _tracer.start_as_current_span(
        name, parent, kind, dict(attributes or {}), start_time=_ns(began), end_on_exit=True
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", _kind(error))
            raise
        except BaseException:
            span.set_attribute("dialtone.cancelled", True)
            raise


def turn_span(
    name: str,
    context: str,
    attributes: Attributes,
    *,
    began: float,
    marks: Mapping[str, float],
    failure: str = "",
) -> None:
    """Make the span of a turn that is over. `began` and `marks`, its moments: as `began` of `stage_span`."""
    version_trace_span = context.split("-")
    token = _preset.set((int(version_trace_span[1], 16), int(version_trace_span[2], 16)))
    try:
        span = _tracer.start_span(name, Context(), SpanKind.SERVER, dict(attributes), start_time=_ns(began))
    finally:
        _preset.reset(token)
    for moment, at in marks.items():
        span.add_event(moment, timestamp=_ns(at))
    if failure:
        span.set_attribute("error.type", failure)
        span.set_status(Status(StatusCode.ERROR, failure))
    span.end()


def configure_tracing(service: str) -> None:
    """Send spans to where the environment says; nothing without."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return
    # Only now: whoever traces nothing does not wait for these, nor keeps them in memory.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class TurnIds(RandomIdGenerator):
        """Gives the span of a turn the ids that its stages know it by."""

        def generate_trace_id(self) -> int:
            preset = _preset.get()
            return preset[0] if preset else super().generate_trace_id()

        def generate_span_id(self) -> int:
            preset = _preset.get()
            return preset[1] if preset else super().generate_span_id()

    resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", f"dialtone-{service}")})
    provider = TracerProvider(resource=resource, id_generator=TurnIds())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def flush_traces() -> None:
    """Send what was not sent yet (blocking, two seconds at most); for the end of a process."""
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        flush(_FLUSH_MS)


def _kind(error: Exception) -> str:
    """The code of an error that has one, as ours have; else its type."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) and code else type(error).__qualname__


def _ns(at: float | None) -> int | None:
    """A moment of the monotonic clock, as Unix time in ns."""
    return None if at is None else time.time_ns() - round((time.monotonic() - at) * 1e9)
