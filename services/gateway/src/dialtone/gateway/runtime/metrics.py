"""What the gateway counts and measures."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from dialtone.gateway.core.server_events import TurnTiming

_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)

active_calls = Gauge("dialtone_gateway_active_calls", "Calls that are open now", ["dialect"])
calls = Counter("dialtone_gateway_calls_total", "Calls by how they ended", ["dialect", "end"])
refused = Counter("dialtone_gateway_refused_total", "Handshakes refused, by reason", ["reason"])
unsent_inputs = Counter(
    "dialtone_gateway_unsent_inputs_total", "Input frames that the broker did not take when they came"
)
unqueued_work = Counter(
    "dialtone_gateway_unqueued_work_total", "Work that did not come onto its queue, by reason", ["reason"]
)
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


def observe_turn(timing: TurnTiming) -> None:
    for part, field in PARTS.items():
        value = getattr(timing, field)
        if value is not None:
            turn_seconds.labels(part).observe(value / 1000)
