"""What Prometheus of the composition says: whether it reaches what it is to watch."""

from __future__ import annotations

import time
from typing import Any

import httpx

JOBS = {"gateway", "vad-asr", "llm", "tts"}


def target_problems(targets: list[dict[str, Any]]) -> list[str]:
    """What is not scraped, of the answer of /api/v1/targets."""
    up = {target["labels"]["job"] for target in targets if target["health"] == "up"}
    down = [
        f"{target['labels']['job']}: {target['lastError']}" for target in targets if target["health"] != "up"
    ]
    return down + [f"{job} is not scraped" for job in sorted(JOBS - up)]


def problems(url: str, metric: str, seconds: float) -> list[str]:
    """What is wrong after at most `seconds`: targets, rules, and whether `metric` was stored."""
    deadline = time.monotonic() + seconds
    while True:
        wrong = _now(url, metric)
        if not wrong or time.monotonic() > deadline:
            return wrong
        time.sleep(1.0)


def _now(url: str, metric: str) -> list[str]:
    try:
        targets = _asked(url, "targets")["activeTargets"]
        groups = _asked(url, "rules")["groups"]
        series = _asked(url, f"query?query={metric}")["result"]
    except httpx.HTTPError as failure:
        return [f"Prometheus: {failure!r}"]
    wrong = target_problems(targets)
    rules = [rule for group in groups for rule in group["rules"]]
    wrong += [f"rule {rule['name']}: {rule['lastError']}" for rule in rules if rule["health"] == "err"]
    if not rules:
        wrong.append("no rules are loaded")
    if not series:
        wrong.append(f"no {metric}")
    return wrong


def _asked(url: str, what: str) -> Any:
    answer = httpx.get(f"{url}/api/v1/{what}", timeout=5.0)
    return answer.raise_for_status().json()["data"]
