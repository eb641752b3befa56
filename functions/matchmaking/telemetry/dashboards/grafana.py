"""Grafana's JSON from our boards, by Grafana's own SDK."""

import json
import warnings
from typing import Any, cast

from matchmaking.telemetry.alerts import RUNBOOKS

from .parts import Board, Panel, Query

with warnings.catch_warnings():
    # At its import it commends its second schema, which Grafana's sidecars do not read yet.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig, VizLegendOptions
    from grafana_foundation_sdk.builders.dashboard import (
        Dashboard,
        DashboardLink,
        DatasourceVariable,
        QueryVariable,
        ThresholdsConfig,
    )
    from grafana_foundation_sdk.builders.dashboard import Row as GrafanaRow
    from grafana_foundation_sdk.builders.prometheus import Dataquery
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.common import AxisPlacement, DataSourceRef, GraphThresholdsStyleMode, LegendDisplayMode
    from grafana_foundation_sdk.models.dashboard import (
        DashboardLinkType,
        DynamicConfigValue,
        Threshold,
        ThresholdsMode,
        VariableOption,
        VariableRefresh,
        VariableSort,
    )

TAG = "game-session-manager"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHT = {"lines": 8, "number": 5}


def render(board: Board) -> dict[str, Any]:
    """A board as Grafana reads it."""
    made = (
        Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG, *board.tags])
        .refresh("10s")
        .time(board.since, "now")
        .readonly()
        .link(
            DashboardLink("Dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(True).include_vars(True).keep_time(True)
        )
        .link(DashboardLink("Runbooks").type(DashboardLinkType.LINK).url(RUNBOOKS).target_blank(True))
        .with_variable(DatasourceVariable("datasource").type("prometheus").label("Data source"))
    )
    for name, metric in board.variables.items():
        made = made.with_variable(_variable(name, metric))
    for row in board.rows:
        made = made.with_row(GrafanaRow(row.title))
        for panel in row.panels:
            made = made.with_panel(_panel(panel))
    return cast("dict[str, Any]", json.loads(JSONEncoder(sort_keys=True).encode(made.build())))


def _variable(name: str, metric: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query(f"label_values({metric}, {name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(VariableOption(True, ["All"], ["$__all"]))
    )


def _panel(panel: Panel) -> Timeseries | Stat:
    made: Timeseries | Stat
    if panel.kind == "number":
        made = Stat()
    else:
        made = Timeseries().min(0).fill_opacity(8).show_points("never").legend(_legend())  # type: ignore[arg-type]
        if panel.steps:
            made = made.thresholds_style(GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    made = (
        made.title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(SOURCE)
        .span(panel.width)
        .height(HEIGHT[panel.kind])
    )
    made = made.thresholds(_thresholds(panel))
    if panel.runbook:
        link = (
            DashboardLink(f"Runbook: {panel.runbook}").type(DashboardLinkType.LINK).url(f"{RUNBOOKS}/{panel.runbook}.md").target_blank(True)
        )
        made = made.links([link])
    if panel.right:
        legend, unit = panel.right
        made = made.override_by_name(
            legend, [DynamicConfigValue("unit", unit), DynamicConfigValue("custom.axisPlacement", AxisPlacement.RIGHT.value)]
        )
    for i, query in enumerate(panel.queries):
        made = made.with_target(_target(query, chr(ord("A") + i)))
    return made


def _legend() -> VizLegendOptions:
    return VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(True).placement("bottom")  # type: ignore[arg-type]


def _thresholds(panel: Panel) -> ThresholdsConfig:
    steps = [Threshold(None, "green")]
    if panel.steps and panel.falling:
        yellow, red = panel.steps
        steps = [Threshold(None, "red"), Threshold(red, "yellow"), Threshold(yellow, "green")]
    elif panel.steps:
        steps += [Threshold(panel.steps[0], "yellow"), Threshold(panel.steps[1], "red")]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _target(query: Query, reference: str) -> Dataquery:
    return Dataquery().expr(query.expr).legend_format(query.legend).ref_id(reference).datasource(SOURCE)
