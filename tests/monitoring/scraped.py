"""What the processes of a stack export, as they say it themselves."""

from __future__ import annotations

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from dialtone.local.state import StackState

JOBS = ("gateway", "vad-asr", "llm", "tts", "moshi")
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
"""Of the names of the samples of a family, by its type."""


def families_of(stack: StackState, job: str) -> dict[str, Metric]:
    """The metrics of a process by their names, without the endings of their samples."""
    answer = httpx.get(f"{stack.processes[job].url}/metrics", trust_env=False).raise_for_status()
    return {family.name: family for family in text_string_to_metric_families(answer.text)}
