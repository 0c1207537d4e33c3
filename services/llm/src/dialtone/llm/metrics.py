"""What this service counts beside what every worker does.

Labels hold the names of backends, never of models or calls.
"""

from prometheus_client import Counter, Histogram

from dialtone.vendors.metrics import upstream_metrics

_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2, 3, 5, 10)

FIRST_TOKEN_SECONDS = Histogram(
    "dialtone_llm_first_token_seconds", "From grant to the first token", ["backend"], buckets=_BUCKETS
)
TOKENS = Counter("dialtone_llm_tokens", "Tokens as the backend counts them", ["backend", "kind"])
UPSTREAM = upstream_metrics("llm", "Requests")
RETRIES = Counter("dialtone_llm_upstream_retries", "Requests sent again", ["backend"])
BAD_CHUNKS = Counter("dialtone_llm_bad_chunks", "Events of a stream that were no chunk", ["backend"])
TRIMMED = Counter("dialtone_llm_trimmed_turns", "Turns sent without their oldest messages", ["backend"])
