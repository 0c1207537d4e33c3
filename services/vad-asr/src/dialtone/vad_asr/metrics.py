"""What the ears tell Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from dialtone.telemetry import shown_from_zero
from dialtone.vendors.metrics import upstream_metrics

_URGENCIES = ("final", "candidate", "partial")

ASR_WAITING = Gauge("dialtone_asr_waiting", "Passages that wait to be recognised")
ASR_REFUSED = Counter("dialtone_asr_refused", "Passages refused by a full queue", ["urgency"])
shown_from_zero(ASR_REFUSED, *_URGENCIES)
ASR_FAILED = Counter("dialtone_asr_failed", "Passages on which the model failed")
ASR_SECONDS = Histogram(
    "dialtone_asr_seconds",
    "Time in the model per passage, by what it was for",
    ["urgency"],
    buckets=(0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2, 4, 8),
)
shown_from_zero(ASR_SECONDS, *_URGENCIES)
ANSWERS = Counter("dialtone_asr_answers", "Passages recognised, by who did it", ["backend"])
UPSTREAM = upstream_metrics("asr", "Passages")
VAD_FAILED = Counter(
    "dialtone_vad_failed", "Streams that the network broke on: judged by their loudness from there on"
)
TURNS = Counter("dialtone_ears_turns", "Turns ended, by how their recognition went", ["result"])
ENDPOINT_SECONDS = Histogram(
    "dialtone_endpoint_seconds",
    "From the last voiced sample to the decision that the turn is over, in audio time",
    buckets=(0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2),
)
EARLY = Counter(
    "dialtone_early_recognitions", "Recognitions begun at a pause, by what became of them", ["result"]
)
