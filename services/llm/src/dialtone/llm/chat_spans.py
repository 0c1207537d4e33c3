"""A turn of a model as a span, by the conventions for generative AI.

github.com/open-telemetry/semantic-conventions-genai: "Inference", status Development.
"""

from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from dialtone.bus import Lease
from dialtone.llm.listed import Listed
from dialtone.telemetry.tracing import stage_span
from dialtone.v1.turn_pb2 import TurnDone

_FINISH = {
    TurnDone.FINISH_REASON_STOP: "stop",
    TurnDone.FINISH_REASON_LENGTH: "length",
    TurnDone.FINISH_REASON_TOOL_CALLS: "tool_calls",
    TurnDone.FINISH_REASON_CONTENT_FILTER: "content_filter",
}


def chat_span(lease: Lease, asked: Listed) -> AbstractContextManager[Span]:
    """The span of this attempt at a turn, which `asked` is asked first. What is said in it is nobody's
    business but the call's."""
    turn = lease.work.turn
    attributes: dict[str, str | int | float | bool] = {
        "dialtone.stage": "llm",
        "dialtone.attempt": lease.attempt,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": asked.backend.name,
        "gen_ai.request.model": asked.model,
        "gen_ai.request.stream": True,
        "gen_ai.conversation.id": lease.work.session_id,
    }
    for name in ("temperature", "top_p"):
        if turn.HasField(name):
            attributes[f"gen_ai.request.{name}"] = round(getattr(turn, name), 6)  # it has come as a float32
    if turn.HasField("max_output_tokens"):
        attributes["gen_ai.request.max_tokens"] = turn.max_output_tokens
    return stage_span(f"chat {asked.model}".strip(), lease.work.traceparent, attributes, kind=SpanKind.CLIENT)


def tell_answerer(one: Listed) -> None:
    """Add to the present span who answers: of a list it need not be the first."""
    trace.get_current_span().set_attributes(
        {"gen_ai.provider.name": one.backend.name, "gen_ai.response.model": one.model}
    )


def tell_usage(done: TurnDone) -> None:
    """Add to the present span how the turn ended, and what it took."""
    trace.get_current_span().set_attributes(
        {
            "gen_ai.response.finish_reasons": [_FINISH.get(done.finish_reason, "error")],
            "gen_ai.usage.input_tokens": done.usage.input_tokens,
            "gen_ai.usage.cache_read.input_tokens": done.usage.cached_tokens,
            "gen_ai.usage.output_tokens": done.usage.output_tokens,
            "gen_ai.response.time_to_first_chunk": done.first_token_us / 1e6,
        }
    )
