"""A pool's dashboard, over the metrics that gateways and the operator export. Pure."""

import json
import warnings
from typing import Any, cast

from matchmaking.core.pool import PoolRules
from matchmaking.telemetry.metrics import WAIT_BUCKETS

from .names import object_name

with warnings.catch_warnings():
    warnings.simplefilter(
        "ignore", DeprecationWarning
    )  # at its import it commends its second schema, which Grafana's sidecars do not read yet
    from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row
    from grafana_foundation_sdk.builders.prometheus import Dataquery
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.common import DataSourceRef

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


def pool_dashboard(pool: str, namespace: str, rules: PoolRules) -> dict[str, Any]:
    """Grafana's JSON for one pool."""
    of = f'pool="{pool}"'
    board = (
        Dashboard(f"Matchmaking: {pool}")
        .uid(object_name("mmp", namespace, pool)[:40])
        .tags(["matchmaking", pool])
        .refresh("10s")
        .time("now-1h", "now")
        .readonly()
        .with_variable(DatasourceVariable("datasource").type("prometheus").label("Data source"))
        .with_row(Row("Players"))
        .with_panel(
            _lines("How long players wait", "s", "Waits of tickets when they were matched, by percentile.")
            .with_target(_query(_percentile(0.5, of), "p50", "A"))
            .with_target(_query(_percentile(0.95, of), "p95", "B"))
            .with_target(_query(_percentile(0.99, of), "p99", "C"))
            .with_target(_query(f"vector({float(rules.slo.wait_p95):g})", "promised p95", "D"))
        )
        .with_panel(
            _lines("Tickets that wait", "short", "By region and mode.").with_target(
                _query(f"sum by (region, mode) (game_queue_tickets_waiting{{{of}}})", "{{region}} {{mode}}", "A")
            )
        )
        .with_panel(
            _lines("Players matched", "ops", "Players handed a match, per second.").with_target(
                _query(f"sum by (region, mode) (rate(game_matchmaking_success_total{{{of}}}[5m]))", "{{region}} {{mode}}", "A")
            )
        )
        .with_row(Row("Promise"))
        .with_panel(
            _number(
                "Late tickets", "percentunit", "Share of tickets matched in the last hour that had waited longer than slo.waitP95."
            ).with_target(_query(_late(of, float(rules.slo.wait_p95)), "late", "A"))
        )
        .with_row(Row("Matchers"))
        .with_panel(
            _lines("Matchers at work", "short", "By region, as their heartbeats tell.").with_target(
                _query(f"sum by (region) (game_queue_matchers{{{of}}})", "{{region}}", "A")
            )
        )
    )
    return cast("dict[str, Any]", json.loads(JSONEncoder(sort_keys=True).encode(board.build())))


def _lines(title: str, unit: str, description: str) -> Timeseries:
    return Timeseries().title(title).description(description).unit(unit).min(0).datasource(SOURCE).span(12).height(8)


def _number(title: str, unit: str, description: str) -> Stat:
    return Stat().title(title).description(description).unit(unit).datasource(SOURCE).span(12).height(8)


def _query(expression: str, legend: str, reference: str) -> Dataquery:
    return Dataquery().expr(expression).legend_format(legend).ref_id(reference).datasource(SOURCE)


def _percentile(quantile: float, of: str) -> str:
    return f"histogram_quantile({quantile:g}, sum by (le) (rate(game_queue_waiting_seconds_bucket{{{of}}}[5m])))"


def _late(of: str, promise: float) -> str:
    bound = next((bucket for bucket in WAIT_BUCKETS if bucket >= promise), WAIT_BUCKETS[-1])
    within = f'sum(rate(game_queue_waiting_seconds_bucket{{{of},le="{float(bound)}"}}[1h]))'
    return f"1 - {within} / sum(rate(game_queue_waiting_seconds_count{{{of}}}[1h]))"
