"""The context of a turn is W3C's, and the same wherever it is made."""

import asyncio

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from dialtone.bus import WorkError
from dialtone.telemetry.tracing import stage_span, turn_span
from dialtone.telemetry.turn_trace import trace_id_of, traceparent


def test_it_is_a_context_that_others_can_read() -> None:
    made = traceparent("call_1", 3)
    context = get_current_span(TraceContextTextMapPropagator().extract({"traceparent": made}))
    assert context.get_span_context().is_valid
    assert context.get_span_context().trace_flags.sampled
    assert f"{context.get_span_context().trace_id:032x}" == trace_id_of(made)


def test_it_is_the_same_for_the_same_turn_and_another_for_each_other() -> None:
    assert traceparent("call_1", 3) == traceparent("call_1", 3)
    others = {
        traceparent("call_1", 3),
        traceparent("call_1", 4),
        traceparent("call_2", 3),
        traceparent("call_13"),
    }
    assert len(others) == 4


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError()])
def test_a_span_lets_errors_through(error: BaseException) -> None:
    with pytest.raises(type(error)), stage_span("chat", traceparent("call_1", 3)):
        raise error


def test_without_a_place_to_send_them_spans_cost_nothing_and_break_nothing() -> None:
    with stage_span("chat", ""), stage_span("speak", "not a context"):
        pass
    turn_span("turn", traceparent("call_1", 3), {}, began=1.0, marks={"endpoint": 2.0}, failure="overloaded")


@pytest.mark.parametrize(
    ("error", "kind"), [(WorkError("overloaded", "no room"), "overloaded"), (ValueError("no"), "ValueError")]
)
def test_a_span_that_failed_says_of_what_kind_the_error_is(
    error: Exception, kind: str, made_spans: InMemorySpanExporter
) -> None:
    with pytest.raises(type(error)), stage_span("chat", traceparent("call_1", 3)):
        raise error
    (span,) = made_spans.get_finished_spans()
    assert dict(span.attributes or {}) == {"error.type": kind}
    assert span.status.status_code is StatusCode.ERROR


def test_a_span_that_was_cancelled_is_no_error(made_spans: InMemorySpanExporter) -> None:
    with pytest.raises(asyncio.CancelledError), stage_span("chat", traceparent("call_1", 3)):
        raise asyncio.CancelledError
    (span,) = made_spans.get_finished_spans()
    assert dict(span.attributes or {}) == {"dialtone.cancelled": True}
    assert span.status.status_code is StatusCode.UNSET


def test_a_turn_that_failed_says_why(made_spans: InMemorySpanExporter) -> None:
    turn_span("turn", traceparent("call_1", 3), {}, began=1.0, marks={}, failure="work_exhausted")
    (span,) = made_spans.get_finished_spans()
    assert dict(span.attributes or {}) == {"error.type": "work_exhausted"}
    assert span.status.status_code is StatusCode.ERROR
