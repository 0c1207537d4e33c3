"""The size of a deployment follows from what was measured, and the document says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.load.autoscale_sim.cluster import read_policies
from tests.load.autoscale_sim.day import EARS, GATEWAY, LLM, TTS
from tests.load.autoscale_sim.measure import NotMeasured, since
from tests.load.autoscale_sim.measured import FILE, Measured, ServiceTime, Use
from tests.load.autoscale_sim.sizing import (
    BEGIN,
    DOCUMENT,
    END,
    PIECES,
    size,
    tables,
    with_tables,
    write_tables,
)

TIMES = ServiceTime((1.0, 2.0, 4.0), (0, 8, 10))  # eight of 1 to 2 s, two of 2 to 4
MEASURED = Measured(
    {LLM: TIMES, TTS: TIMES},
    dict.fromkeys(PIECES, 5.0),
    {
        GATEWAY: Use(90, 95, 0.01, 0.01),
        EARS: Use(300, 350, 0.0, 0.05),
        LLM: Use(700, 720, 0.5, 3.0),
        TTS: Use(200, 260, 0.0, 1.2),
    },
)


def test_the_document_says_what_was_measured() -> None:
    """After `make sizing` both are new; after a change by hand neither is believed."""
    text = DOCUMENT.read_text()
    assert with_tables(text, tables()) == text


def test_another_figure_is_another_table(tmp_path: Path) -> None:
    figures = json.loads(FILE.read_text())
    figures["use"][LLM]["cpu_s"] *= 2
    changed = tmp_path / "measured.json"
    changed.write_text(json.dumps(figures))
    assert tables(changed) != tables()


def test_tables_are_written_where_the_document_has_a_place_for_them(tmp_path: Path) -> None:
    document = tmp_path / "operations.md"
    document.write_text(f"before\n{BEGIN}old\n{END}after\n")
    write_tables(document)
    assert document.read_text() == f"before\n{BEGIN}\n{tables()}\n{END}after\n"
    with pytest.raises(ValueError, match="no place"):
        with_tables("a document without one", "tables")


def test_quantiles_and_the_mean_are_those_of_the_histogram() -> None:
    assert TIMES.quantile(0.4) == pytest.approx(1.5)
    assert TIMES.quantile(0.9) == pytest.approx(3.0)
    assert TIMES.mean == pytest.approx((8 * 1.5 + 2 * 3.0) / 10)


def test_load_is_what_begins_in_a_second_times_what_each_piece_takes() -> None:
    policies = read_policies()
    answers = size(LLM, 100, MEASURED, policies[LLM])  # one each 10 s and call: ten a second
    assert (round(answers.load, 6), answers.pods) == (18.0, 6)  # three a pod
    assert round(answers.cores, 6) == 10 * 3.0 + 6 * 0.5
    sentences = size(TTS, 100, MEASURED, policies[TTS])
    assert sentences.load == pytest.approx(2.5 * answers.load)
    ears = size(EARS, 100, MEASURED, policies[EARS])
    assert (ears.load, ears.pods, round(ears.cores, 6)) == (100, 8, 5.0)
    assert size(GATEWAY, 1, MEASURED, policies[GATEWAY]).pods == policies[GATEWAY].least


def test_of_a_histogram_counts_what_came_since() -> None:
    before: dict[str, list[float]] = {"bounds": [1.0, 2.0], "counts": [1, 2]}
    now: dict[str, list[float]] = {"bounds": [1.0, 2.0], "counts": [1, 5]}
    assert since(before, now) == {"bounds": [1.0, 2.0], "counts": [0, 3]}
    assert since({"bounds": [], "counts": []}, now) == now
    with pytest.raises(NotMeasured):
        since(now, now)
