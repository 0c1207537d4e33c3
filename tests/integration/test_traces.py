"""A turn's trace, through every process that works for it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from dialtone.local.call.recording import Recording
from tests.fixtures.stack import running
from tests.fixtures.trace_collector import TraceCollector
from tests.fixtures.waiting import eventually
from tests.integration.voice_caller import new_session, voice_calling
from tests.telemetry.conventions import published

STAGES = {"endpoint": "vad-asr", "transcribe": "vad-asr", "chat": "llm", "speak": "tts", "turn": "gateway"}


def attributes_of(span: Span) -> dict[str, str | int | float]:
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value")
        for one in span.attributes
    }


async def test_a_turn_is_one_trace_with_a_span_of_each_stage(
    question: Recording,
    tmp_path: Path,
    trace_collector: TraceCollector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", trace_collector.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
    with running("simulated", tmp_path) as stack:
        session = await new_session(stack.url)
        async with voice_calling(stack.url, session["id"]) as caller:
            await caller.say(question, then_silence_s=1.2)
            await caller.send(is_close=True)
            await caller.read_to_the_end()

        async def complete() -> bool:
            return {span.name.split()[0] for _, span in trace_collector.spans} >= set(STAGES)

        await eventually(complete, within_s=10)

    traces: dict[bytes, list[tuple[str, Span]]] = defaultdict(list)
    for service, span in trace_collector.spans:
        traces[span.trace_id].append((service, span))
    turn = next(span for _, span in trace_collector.spans if span.name == "turn")
    stages = traces[turn.trace_id]
    assert {span.name.split()[0] for _, span in stages} == set(STAGES)
    for service, span in stages:
        assert service == f"dialtone-{STAGES[span.name.split()[0]]}"
        assert span.parent_span_id == (b"" if span is turn else turn.span_id)
        assert span.status.code != Status.STATUS_CODE_ERROR
        # One machine, one clock: what is part of the turn began in it.
        assert span.start_time_unix_nano >= turn.start_time_unix_nano - 50_000_000
    marks = [event.name for event in sorted(turn.events, key=lambda event: event.time_unix_nano)]
    assert {"speech_end", "endpoint", "transcript", "first_token", "first_audio"} <= set(marks)
    of_call = attributes_of(turn)
    assert of_call["gen_ai.conversation.id"] == session["id"]
    chat = attributes_of(next(span for _, span in stages if span.name.startswith("chat")))
    assert chat["gen_ai.operation.name"] == "chat"
    assert int(chat["gen_ai.usage.output_tokens"]) > 0
    operations = {"chat": "chat", "transcribe": "speech_to_text", "speak": "text_to_speech"}
    for _, span in stages:
        names = attributes_of(span)
        assert not {name for name in names if not name.startswith("dialtone.")} - published(), span.name
        if (operation := operations.get(span.name.split()[0])) is not None:
            assert names["gen_ai.operation.name"] == operation
            assert names["gen_ai.conversation.id"] == session["id"]
    # What was said is in none of them.
    assert "capital" not in str([span for _, span in stages])
