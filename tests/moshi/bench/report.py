"""The figures as tables for a person."""

from __future__ import annotations

from typing import Any

from tests.bench.figures import markdown_table
from tests.moshi.bench.steps import PARTS

FRAME_MS = 80.0


def to_markdown(figures: dict[str, Any]) -> str:
    """A page: what it was taken on, then a table for each size and context."""
    machine = figures["machine"]
    where = machine["gpu"] or f"one thread of {machine['cores']} cores of {machine['cpu']}"
    bandwidth = figures["bandwidth"]
    pages = [
        "# Steps of Moshi\n",
        f"{figures['taken']}, on {where}, torch {machine['torch']}, {figures['dtype']}; load "
        f"{machine['load_before'][0]} when it began. Memory moves {bandwidth / 1e9:.1f} GB/s in a copy.\n",
    ]
    for size, contexts in figures["sizes"].items():
        for context, of_context in contexts.items():
            pages.append(f"## {size}, context {context}\n")
            pages.append(_table(of_context["steps"], bandwidth))
            pages.append(_below(of_context))
    return "\n".join(pages)


def _table(steps: list[dict[str, Any]], bandwidth: float) -> str:
    head = [
        "rows",
        "step p50",
        "p99",
        *(f"{part} p50 / p99" for part in PARTS),
        "MiB a row",
        "limit",
        "step / limit",
    ]
    rows = []
    for one in steps:
        limit_ms = 1000 * one["bytes_per_step"] / bandwidth
        rows.append(
            [
                one["rows"],
                one["step_ms"]["p50"],
                one["step_ms"]["p99"],
                *(
                    f"{one['parts_ms'][part]['p50']:.1f} / {one['parts_ms'][part]['p99']:.1f}"
                    for part in PARTS
                ),
                f"{one['bytes_per_row'] / 2**20:.2f}",
                f"{limit_ms:.3g}",
                f"{one['step_ms']['p50'] / limit_ms:.3g}",
            ]
        )
    return markdown_table(head, rows)


def _below(of_context: dict[str, Any]) -> str:
    largest = of_context["largest"]
    said = [f"Largest number of rows with p99 below {FRAME_MS:g} ms: {largest if largest else 'none'}."]
    if of_context["out_of_memory"]:
        said.append(f"Out of memory with {of_context['out_of_memory']} rows.")
    if run := of_context["paced"]:
        answer = run["answer_ms"]
        said.append(
            f"On the clock for {run['seconds']:g} s, {run['rows']} rows: {run['calls']} calls, "
            f"{run['frames']} frames, {run['stalls']} of them late by up to 400 ms; from frame to answer "
            f"p50 {answer['p50']}, p99 {answer['p99']}, at most {answer['max']} ms; {run['late_answers']} "
            f"answers after more than {FRAME_MS:g} ms; {run['overruns']:g} steps longer than that; "
            f"{run['given_up']} calls given up, 20 s behind."
        )
    return " ".join(said) + "\n"
