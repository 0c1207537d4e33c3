"""The table of a storm: what was done, and what was heard of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.chaos.storm import Outcome

COUNTS = (
    *("tried", "calls_hit", "words_lost", "sentences_doubled", "sentences_lost"),
    *("turns_wrong", "wrong_beside"),
)
HEAD = (
    *("fault", "phase", *(name.replace("_", " ") for name in COUNTS)),
    *("gap p50 ms", "gap p95 ms", "gap max ms"),
)


PROMISED_P95_MS = {"killed": 2_000, "asked to leave": 100}
"""Gaps, by fault."""


@dataclass
class Row:
    """One fault at one place."""

    fault: str
    phase: str
    tried: int = 0
    calls_hit: int = 0
    words_lost: int = 0
    sentences_doubled: int = 0
    sentences_lost: int = 0
    turns_wrong: int = 0
    wrong_beside: int = 0
    gaps_ms: list[float] = field(default_factory=list)
    """Silence beyond that of a turn without a fault, of each call that was hit."""
    wrong: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome, usual_s: float) -> None:
        self.tried += 1
        self.calls_hit += len(outcome.hit)
        for verdict in outcome.hit:
            self.words_lost += verdict.words_lost
            self.sentences_doubled += verdict.sentences_doubled
            self.sentences_lost += verdict.sentences_lost
            self.turns_wrong += bool(verdict.wrong)
            self.gaps_ms.append(round(max(0.0, verdict.silent_s - usual_s) * 1e3, 1))
        self.wrong_beside += sum(bool(verdict.wrong) for verdict in outcome.beside)
        self.wrong += ["; ".join(v.wrong) for v in (*outcome.hit, *outcome.beside) if v.wrong]
        self.wrong += [outcome.unproven] if outcome.unproven else []

    def as_dict(self) -> dict[str, Any]:
        gaps = {f"p{p}": self.gap_ms(p) for p in (50, 95, 100)}
        return {**{name: getattr(self, name) for name in self.__dataclass_fields__}, "gap_ms": gaps}

    def gap_ms(self, at: int) -> float:
        return round(float(np.percentile(self.gaps_ms, at))) if self.gaps_ms else 0

    def cells(self) -> list[str]:
        gaps = (f"{self.gap_ms(at):.0f}" for at in (50, 95, 100))
        return [self.fault, self.phase, *(str(getattr(self, name)) for name in COUNTS), *gaps]


def total(rows: Sequence[Row]) -> Row:
    """All of them in one."""
    row = Row("all", "")
    for name in COUNTS:
        setattr(row, name, sum(getattr(one, name) for one in rows))
    row.gaps_ms = [gap for one in rows for gap in one.gaps_ms]
    return row


def promises(rows: Sequence[Row]) -> dict[str, bool]:
    """Whether each promise about gaps was kept, in words; nothing of faults that were not tried."""
    kept = {}
    for fault, most in PROMISED_P95_MS.items():
        tried = total([row for row in rows if row.fault == fault and row.tried])
        if tried.tried:
            gap = tried.gap_ms(95)
            kept[f"{fault}: gap {gap:.0f} ms at p95, at most {most} promised"] = gap <= most
    return kept


def markdown(rows: Sequence[Row], quiet: Row | None = None) -> str:
    """The table, with a last line for everything; before it one for the turns to which nothing happened."""
    rule = ["---"] * 2 + ["---:"] * (len(HEAD) - 2)
    beside = [quiet] if quiet else []
    lines = [list(HEAD), rule, *(row.cells() for row in (*rows, *beside, total(rows)))]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
