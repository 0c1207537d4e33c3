"""From results to figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and max, interpolated linearly; empty without values."""
    if not values:
        return {}
    p50, p95, p99 = np.percentile(np.asarray(values, dtype=np.float64), [50, 95, 99])
    return {
        "p50": round(float(p50), 2),
        "p95": round(float(p95), 2),
        "p99": round(float(p99), 2),
        "max": round(max(values), 2),
    }


def summary(turns: Iterable[dict[str, Any]], *, floor_ms: float = 0.0) -> dict[str, Any]:
    """Figures of the turns of a run; the first turn of each call is left out, failures are not.

    `overhead_ms` is v2v minus `floor_ms`, of the turns that were answered.
    """
    counted = [turn for turn in turns if turn["turn"] > 0]
    answered = [turn for turn in counted if not turn["failure"]]
    v2v = [turn["v2v_ms"] for turn in answered]
    reasons: dict[str, int] = {}
    for turn in counted:
        if turn["failure"]:
            reasons[turn["failure"]] = reasons.get(turn["failure"], 0) + 1
    late = [turn for turn in answered if turn["late_chunks"]]
    return {
        "turns": len(counted),
        "failed": len(counted) - len(answered),
        "failures": reasons,
        "v2v_ms": percentiles(v2v),
        "overhead_ms": percentiles([value - floor_ms for value in v2v]),
        "late_turns": len(late),
        "late_chunks": sum(turn["late_chunks"] for turn in late),
        "late_ms": percentiles([turn["late_ms"] for turn in late]),
        "parts_ms": parts_summary(answered),
    }


def parts_summary(turns: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Percentiles of each part of the turns, as the gateway tells them."""
    names = dict.fromkeys(name for turn in turns for name in turn["parts"])
    return {
        name: percentiles([turn["parts"][name] for turn in turns if name in turn["parts"]]) for name in names
    }


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with its columns set to the right, the first to the left."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)
