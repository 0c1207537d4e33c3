"""What the gateway counts and measures."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from dialtone.gateway.core.server_events import TurnTiming
from dialtone.telemetry import shown_from_zero

_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)

active_calls = Gauge("dialtone_gateway_active_calls", "Calls that are open now", ["dialect"])
# Before the first call, too: else a gateway looks to alerts and to the autoscaler as if it were not there.
shown_from_zero(active_calls, "realtime", "realtime_beta", "voice_call")
max_calls = Gauge("dialtone_gateway_max_calls", "Calls that may be open at once")
calls = Counter("dialtone_gateway_calls_total", "Calls by how they ended", ["dialect", "end"])
refused = Counter("dialtone_gateway_refused_total", "Handshakes refused, by reason", ["reason"])
shown_from_zero(refused, "gateway_full", "gateway_draining", "service_unavailable")
responses = Counter(
    "dialtone_gateway_responses_total",
    "Responses by their status; of those that failed, with the code of the failure",
    ["status", "failure"],
)
shown_from_zero(responses, ("completed", ""), ("cancelled", ""), ("incomplete", ""), ("failed", "overloaded"))
unsent_inputs = Counter(
    "dialtone_gateway_unsent_inputs_total", "Input frames that the broker did not take when they came"
)
unqueued_work = Counter(
    "dialtone_gateway_unqueued_work_total", "Work that did not come onto its queue, by reason", ["reason"]
)
shown_from_zero(unqueued_work, "overloaded", "work_too_large", "bus_unavailable")
workers_gone = Counter(
    "dialtone_gateway_workers_gone_total",
    "Workers whose connection to the broker ended while they were in use",
)
takeovers = Counter("dialtone_gateway_takeovers_total", "Sessions taken over from a live call")
stalled_clients = Counter("dialtone_gateway_stalled_clients_total", "Clients closed for not reading")
held_clients = Counter(
    "dialtone_gateway_held_clients_total", "Times that a client was not read, having sent too many frames"
)
waiting_messages = Gauge(
    "dialtone_gateway_waiting_messages", "Large messages of clients that wait until others have come"
)
turn_seconds = Histogram(
    "dialtone_turn_seconds", "Where the time of turns goes, by part", ["part"], buckets=_SECONDS
)

PARTS = {
    "endpointing": "endpointing_ms",
    "asr": "asr_ms",
    "llm_first_token": "llm_first_token_ms",
    "first_sentence": "first_sentence_ms",
    "tts_first_chunk": "tts_first_chunk_ms",
    "total": "total_ms",
}
shown_from_zero(turn_seconds, *PARTS)


def observe_turn(timing: TurnTiming) -> None:
    for part, field in PARTS.items():
        value = getattr(timing, field)
        if value is not None:
            turn_seconds.labels(part).observe(value / 1000)
