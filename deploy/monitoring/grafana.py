"""Boards as Grafana's JSON."""

from __future__ import annotations

import itertools

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from deploy.monitoring.panels import Board, Panel

_WIDTH, _HEIGHT = 12, 8  # of Grafana's 24 columns
_LEGEND = (
    common.VizLegendOptions()
    .show_legend(True)
    .display_mode(LegendDisplayMode.TABLE)
    .placement(LegendPlacement.BOTTOM)
    .calcs(["lastNotNull", "max"])
)
_SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")


def to_json(board: Board) -> str:
    """The dashboard as a file; the same for the same board."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .tags(["dialtone"])
        .refresh("30s")
        .time("now-1h", "now")
        .with_variable(dashboard.DatasourceVariable("source").type("prometheus").label("Prometheus"))
    )
    numbers = itertools.count(1)
    for title, panels in board.rows:
        made.with_row(dashboard.Row(title).id(next(numbers)))
        for panel in panels:
            made.with_panel(_graph(panel, next(numbers)))
    return JSONEncoder(sort_keys=True, indent=1).encode(made.build()) + "\n"


def _graph(panel: Panel, number: int) -> timeseries.Panel:
    graph = (
        timeseries.Panel()
        .id(number)
        .title(panel.title)
        .description(panel.says)
        .unit(panel.unit)
        .datasource(_SOURCE)
        .legend(_LEGEND)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .min(0)
        .span(_WIDTH)
        .height(_HEIGHT)
    )
    for place, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend)
        graph.with_target(target.ref_id(chr(ord("A") + place)).datasource(_SOURCE))
    return graph
