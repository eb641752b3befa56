"""Panels, rows and boards as plain values, and the expressions that many of them share."""

from typing import Literal

from msgspec import Struct

RATE = "$__rate_interval"
QUEUES = 'pool=~"$pool",region=~"$region",mode=~"$mode"'
BY_QUEUE = "pool, region, mode"
QUEUE_LEGEND = "{{pool}} {{region}} {{mode}}"


class Query(Struct, frozen=True):
    """One query of a panel, and how its lines are called."""

    expr: str
    legend: str = ""


class Panel(Struct, frozen=True):
    """One panel.

    Attributes:
        description: what it shows, and what to make of it.
        unit: Grafana's name of it.
        kind: lines over time, or one number.
        steps: values from which it is yellow, and red; none if no value is bad by itself.
        falling: low values are bad, not high ones.
        runbook: the alert that watches over the same.
        right: the legend of the query that has its own axis on the right, with its unit.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["lines", "number"] = "lines"
    steps: tuple[float, float] | None = None
    falling: bool = False
    runbook: str = ""
    right: tuple[str, str] | None = None
    width: int = 12


class Row(Struct, frozen=True):
    """Panels that belong together."""

    title: str
    panels: tuple[Panel, ...]


class Board(Struct, frozen=True):
    """A dashboard; `variables` are name → the metric whose label values it offers."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: dict[str, str]
    tags: tuple[str, ...] = ()
    since: str = "now-1h"


def per_second(metric: str, by: str, selector: str = "") -> str:
    """A counter's rate, summed."""
    return f"sum by ({by}) (rate({metric}{{{selector}}}[{RATE}]))"


def quantile(share: float, metric: str, selector: str = "", by: str = "") -> str:
    """A histogram's quantile."""
    of = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, sum by ({of}) (rate({metric}_bucket{{{selector}}}[{RATE}])))"


def quantiles(metric: str, selector: str = "") -> tuple[Query, ...]:
    """The three that people look at."""
    return tuple(Query(quantile(share, metric, selector), f"p{share * 100:.0f}") for share in (0.5, 0.95, 0.99))


def mean(metric: str, selector: str = "", by: str = "") -> str:
    """A histogram's mean."""
    of = f"sum by ({by}) " if by else "sum "
    return f"{of}(rate({metric}_sum{{{selector}}}[{RATE}])) / {of}(rate({metric}_count{{{selector}}}[{RATE}]))"


def bad_share(window: str, selector: str = "", by: str = "pool") -> str:
    """The share of tickets beyond the wait objective."""
    late = ",".join(part for part in (selector, 'result="bad"') if part)
    every = f"sum by ({by}) (rate(game_slo_waits_total{{{selector}}}[{window}]))"
    return f"sum by ({by}) (rate(game_slo_waits_total{{{late}}}[{window}])) / {every}"


def late_deliveries(window: str) -> str:
    """The share of events beyond the delivery objective."""
    timely = f'sum(rate(game_event_delivery_seconds_bucket{{le="2.0"}}[{window}]))'
    return f"1 - {timely} / sum(rate(game_event_delivery_seconds_count[{window}]))"
