"""The Prometheus metrics of the speech stage."""

from prometheus_client import Counter, Histogram

from dialtone.vendors.metrics import upstream_metrics

FIRST_CHUNK = Histogram(
    "dialtone_tts_first_chunk_seconds",
    "From the grant of a sentence to its first audio",
    ["voice"],
    buckets=(0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5),
)
AUDIO_SECONDS = Counter("dialtone_tts_audio_seconds", "Length of the speech made", ["voice"])
UPSTREAM = upstream_metrics("tts", "Sentences")
