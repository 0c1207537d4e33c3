"""The signals that operators are told to watch are those that the processes of a run export."""

from __future__ import annotations

import re

import pytest
from prometheus_client import Metric
from prometheus_client.samples import Sample

from deploy.monitoring.__main__ import ROOT
from dialtone.gateway.runtime.metrics import PARTS
from dialtone.local.call.recording import Recording
from dialtone.local.state import StackState
from tests.integration.voice_caller import new_session, voice_calling
from tests.monitoring.scraped import ENDINGS, JOBS, families_of

DOCUMENT = (ROOT / "docs" / "operations.md").read_text()
SIGNALS = ("latency", "traffic", "errors", "saturation")
OF_SERVERS = {
    "dialtone_asr_upstream_failures_total",
    "dialtone_llm_upstream_failures_total",
    "dialtone_tts_upstream_failures_total",
    "dialtone_llm_open_breakers",
}
"""There only where a model is asked over HTTP."""


def rows(heading: str) -> list[list[str]]:
    """The cells of the table that begins with this cell, row by row."""
    table = DOCUMENT[DOCUMENT.index(f"| {heading} |") :].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def named(text: str) -> list[tuple[str, dict[str, str]]]:
    """The metrics in a text, and the labels that it gives them."""
    return [
        (name, dict(re.findall(r'(\w+)="([^"]*)"', labels)))
        for name, labels in re.findall(r"`(dialtone_\w+)(?:\{([^}]*)\})?`", text)
    ]


def samples_of(families: dict[str, Metric], name: str) -> list[Sample]:
    """The samples of a metric by its own name, or by that of its samples."""
    for family in families.values():
        if name in {family.name, *(family.name + ending for ending in ENDINGS.get(family.type, ()))}:
            return family.samples
    raise AssertionError(f"nothing exports {name}")


async def test_every_stage_exports_its_four_signals_after_a_call(
    stack: StackState, question: Recording
) -> None:
    session = await new_session(stack.url)
    async with voice_calling(stack.url, session["id"]) as caller:
        await caller.say(question, then_silence_s=1.2)
        await caller.send(is_close=True)
        await caller.read_to_the_end()
    stages = {cells[0].split("`")[1]: cells[1:] for cells in rows("stage")}
    assert set(stages) == set(JOBS)
    for job, cells in stages.items():
        families = families_of(stack, job)
        for signal, cell in zip(SIGNALS, cells, strict=True):
            assert named(cell), f"{job} has no {signal}"
            for name, labels in named(cell):
                samples = samples_of(families, name)
                assert name in OF_SERVERS or any(
                    labels.items() <= sample.labels.items() for sample in samples
                ), f"{job} has no {name} with {labels}"


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_a_turn_is_explained(part: str) -> None:
    assert [cells[0] for cells in rows("part of `dialtone_turn_seconds`")].count(f"`{part}`") == 1
