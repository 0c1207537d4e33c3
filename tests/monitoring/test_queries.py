"""Every query of the dashboards and alerts asks for what the processes of a run really export."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import promql_parser
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from deploy.monitoring.alerts import ALERTS
from deploy.monitoring.boards import BOARDS
from dialtone.local.state import StackState

# Whatever declares metrics, so that the labels are known here.
for _name in ("fence", "telemetry", "gateway.runtime", "gateway.stores", "vad_asr", "llm", "tts"):
    importlib.import_module(f"dialtone.{_name}.metrics")

# Of every Python process, by prometheus_client.
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}
_ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
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
    found: set[str] = set()
    for name in ("gateway", "vad-asr", "llm", "tts"):
        text = httpx.get(f"{stack.processes[name].url}/metrics", trust_env=False).raise_for_status().text
        for family in text_string_to_metric_families(text):
            endings = _ENDINGS.get(family.type, ("",))
            found.update(family.name + ending for ending in endings)
    return found


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
