"""Every query of the dashboards and alerts asks for what the processes of a run really export."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import promql_parser
import pytest
from prometheus_client import REGISTRY
from prometheus_client.samples import Sample

from deploy.monitoring.alerts import ALERTS
from deploy.monitoring.boards import BOARDS
from dialtone.local.state import StackState
from tests.monitoring.scraped import ENDINGS, JOBS, families_of

# Whatever declares metrics, so that the labels are known here.
for _name in (
    "fence",
    "telemetry",
    "gateway.runtime",
    "gateway.stores",
    "vad_asr",
    "llm",
    "llm.moshi",
    "tts",
):
    importlib.import_module(f"dialtone.{_name}.metrics")

# Of every Python process, by prometheus_client.
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}
# What Prometheus adds to each sample when it scrapes.
SCRAPED = {"job", "instance"}


def expressions() -> Iterator[tuple[str, str]]:
    """Each query and where it stands; Grafana's variables as Grafana would fill them in."""
    for board in BOARDS:
        for _, panels in board.rows:
            for panel in panels:
                for query in panel.queries:
                    yield f"{board.title}: {panel.title}", query.expr.replace("$__rate_interval", "1m")
    for alert in ALERTS:
        yield alert.name, alert.expr


@dataclass(frozen=True)
class Asked:
    """One metric of a query, and the labels that the query needs of it."""

    metric: str
    labels: frozenset[str]


def asked(expr: str) -> list[Asked]:
    """What a query asks for. Raises ValueError when it is no PromQL."""
    return list(_walk(promql_parser.parse(expr), frozenset()))


def _walk(node: Any, grouped: frozenset[str]) -> Iterator[Asked]:
    match node:
        case promql_parser.AggregateExpr():
            yield from _walk(node.expr, grouped | set(node.modifier.labels if node.modifier else ()))
        case promql_parser.BinaryExpr():
            yield from _walk(node.lhs, grouped)
            yield from _walk(node.rhs, grouped)
        case promql_parser.Call():
            for argument in node.args:
                yield from _walk(argument, grouped)
        case promql_parser.MatrixSelector():
            yield from _walk(node.vector_selector, grouped)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            yield from _walk(node.expr, grouped)
        case promql_parser.VectorSelector():
            assert node.name, "a query is to name its metric"
            yield Asked(node.name, grouped | {matcher.name for matcher in node.matchers.matchers})
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            return
        case _:
            raise ValueError(f"what is {type(node).__name__}?")


@pytest.fixture(scope="module")
def exported(stack: StackState) -> set[str]:
    """The names of the samples that the processes of a stack export, or will once there is something."""
    return {
        family.name + ending
        for job in JOBS
        for family in families_of(stack, job).values()
        for ending in ENDINGS.get(family.type, ("",))
    }


def watched(expr: str) -> Iterator[promql_parser.VectorSelector]:
    """The counters whose growth a query asks for."""
    waiting = [promql_parser.parse(expr)]
    while waiting:
        match waiting.pop():
            case promql_parser.MatrixSelector() as counted:
                yield counted.vector_selector
            case promql_parser.Call(args=arguments):
                waiting += arguments
            case promql_parser.BinaryExpr(lhs=left, rhs=right):
                waiting += [left, right]
            case promql_parser.AggregateExpr(expr=inner) | promql_parser.ParenExpr(expr=inner):
                waiting.append(inner)


def missing_at_zero(selector: promql_parser.VectorSelector, samples: Sequence[Sample]) -> list[str]:
    """What a counter lacks that is to be there before it counts."""
    own = [sample for sample in samples if sample.name == selector.name]
    if not own:
        return [f"{selector.name} has no samples"]
    return [
        f"{selector.name} has none with {matcher.name}={value}"
        for matcher in selector.matchers.matchers
        for value in matcher.value.split("|")
        if not any(sample.labels.get(matcher.name) == value for sample in own)
    ]


def declared_labels(metric: str) -> set[str]:
    """The labels that the code gives a metric; those of one without samples are known to nobody else."""
    collector = REGISTRY._names_to_collectors[metric]
    return set(getattr(collector, "_labelnames", ())) | ({"le"} if metric.endswith("_bucket") else set())


def wrong(expr: str, exported: set[str]) -> list[str]:
    """What a query asks for in vain."""
    found = []
    for one in asked(expr):
        if one.metric not in exported:
            found.append(f"nothing exports {one.metric}")
        elif one.metric not in PROCESS and (missing := one.labels - SCRAPED - declared_labels(one.metric)):
            found.append(f"{one.metric} has no label {', '.join(sorted(missing))}")
    return found


def test_every_query_asks_for_what_a_run_exports(exported: set[str]) -> None:
    found = {where: problems for where, expr in expressions() if (problems := wrong(expr, exported))}
    assert not found


def test_what_an_alert_counts_is_there_before_it_happens(stack: StackState) -> None:
    # Else its first time would be no increase.
    samples = [s for job in JOBS for family in families_of(stack, job).values() for s in family.samples]
    counted = [selector for alert in ALERTS for selector in watched(alert.expr)]
    assert len(counted) >= 9
    assert not [lack for selector in counted for lack in missing_at_zero(selector, samples)]


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ("sum(rate(dialtone_calls_total[1m]))", "nothing exports dialtone_calls_total"),
        ("sum by (stages) (dialtone_work_slots)", "dialtone_work_slots has no label stages"),
        ('dialtone_turn_seconds_count{parts="total"}', "dialtone_turn_seconds_count has no label parts"),
    ],
)
def test_a_planted_mistake_is_found(planted: str, said: str, exported: set[str]) -> None:
    assert wrong(planted, exported) == [said]


def test_what_is_no_promql_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid promql"):
        asked("sum by stage (x)")
