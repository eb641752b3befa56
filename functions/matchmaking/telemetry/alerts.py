"""The alerts, on symptoms: what players feel, and what will be felt soon.

Written as Prometheus rules to `charts/game-session-manager/files` by `matchmaking observability`: `alerts/service.yaml`, which the chart installs as a
PrometheusRule, and `pool-alerts.yaml`. Our operator makes
the latter for each pool that wants them; a Prometheus without its own operator loads both files. Burn rates compare a short and a long window with the
objective's error budget for a month: at 14.4 times the allowed rate it is spent in two days, at 6 times in five (Google's Site Reliability Workbook,
chapter 5). Every alert has a runbook beside the rules and a test in which it fires.
"""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

RUNBOOKS = "https://github.com/game-session-manager/game-session-manager/blob/main/charts/game-session-manager/runbooks"
WAIT_BUDGET = 0.05  # of tickets may wait longer than `slo.waitP95`: that is what P95 says
DELIVERY_BUDGET = 0.001  # of events may take longer than two seconds to a connected player
DELIVERY_BOUND = "2.0"  # s; a bucket of game_event_delivery_seconds
BURN = ((14.4, "1h", "5m", "critical"), (6.0, "6h", "30m", "warning"))
FEWEST_TICKETS = 20  # in the long window; fewer say nothing about a share
FEWEST_EVENTS = 100


class Alert(Struct, frozen=True):
    """One alert: `why` says in a sentence what is wrong, `value` what `{{ $value }}` is."""

    name: str
    expr: str
    severity: Literal["critical", "warning"]
    summary: str
    value: str
    lasting: str = ""

    def rule(self, labels: dict[str, str]) -> dict[str, Any]:
        """As a Prometheus rule."""
        rule: dict[str, Any] = {"alert": self.name, "expr": self.expr}
        if self.lasting:
            rule["for"] = self.lasting
        annotations = {"summary": self.summary, "description": self.value, "runbook_url": f"{RUNBOOKS}/{self.name}.md"}
        return rule | {"labels": {"severity": self.severity, **labels}, "annotations": annotations}


def pool_alerts(pool: str = "") -> tuple[Alert, ...]:
    """Alerts about pools: about one, or about each."""
    of = f'pool="{pool}"' if pool else ""
    return (*_wait_burn(of), _unattended(of), _starving(of), _at_most(of), _relay_lag(of))


def service_alerts() -> tuple[Alert, ...]:
    """Alerts about what all pools share."""
    return (*_delivery_burn(), *_redis(), *_sessions(), *_operator(), *_keda(), *_gateways())


def groups(name: str, alerts: Iterable[Alert], labels: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """A rule group, as Prometheus and the PrometheusRule resource want it."""
    return [{"name": name, "rules": [alert.rule(labels or {}) for alert in alerts]}]


def _wait_burn(of: str) -> Iterable[Alert]:
    late = _and(of, 'result="bad"')
    bad, every = f"game_slo_waits_total{{{late}}}", f"game_slo_waits_total{{{of}}}"

    def share(window: str) -> str:
        return f"sum by (pool) (rate({bad}[{window}])) / sum by (pool) (rate({every}[{window}]))"

    for factor, long, short, severity in BURN:
        limit = f"{factor * WAIT_BUDGET:g}"
        yield Alert(
            f"MatchmakingWaitBurn{'Fast' if severity == 'critical' else 'Slow'}",
            f"({share(long)} > {limit})\nand ({share(short)} > {limit})\nand (sum by (pool) (increase({every}[{long}])) >= {FEWEST_TICKETS})",
            severity,  # type: ignore[arg-type]
            "Players of pool {{ $labels.pool }} wait longer than promised",
            f"{{{{ $value | humanizePercentage }}}} of the tickets of the last {long} waited longer than slo.waitP95, or were never matched; 5 % may.",
        )


def _unattended(of: str) -> Alert:
    queue = "by (pool, region, mode)"
    waiting = f"max {queue} (game_queue_length{{{of}}}) >= on (pool) group_left () max by (pool) (game_pool_min_tickets{{{of}}})"
    nobody = f"max {queue} (game_matchers{{{of}}}) == 0"
    long = f"max {queue} (game_queue_oldest_seconds{{{of}}}) > on (pool) group_left () max by (pool) (2 * game_pool_polling_seconds{{{of}}} + 30)"
    return Alert(
        "MatchmakingQueueUnattended",
        f"({waiting})\nand ({nobody})\nand ({long})",
        "critical",
        "Tickets wait in {{ $labels.pool }}/{{ $labels.region }}/{{ $labels.mode }}, and no matcher is alive",
        "{{ $value }} tickets wait, for longer than two polling intervals and 30 s; KEDA has started no matcher, or none stays alive.",
        "30s",
    )


def _starving(of: str) -> Alert:
    queue = "by (pool, region, mode)"
    oldest = (
        f"max {queue} (game_queue_oldest_seconds{{{of}}}) > on (pool) group_left () max by (pool) (game_pool_starvation_seconds{{{of}}})"
    )
    enough = f"max {queue} (game_queue_length{{{of}}}) >= on (pool) group_left () max by (pool) (game_pool_min_tickets{{{of}}})"
    return Alert(
        "MatchmakingTicketStarves",
        f"({oldest})\nand ({enough})",
        "warning",
        "A ticket in {{ $labels.pool }}/{{ $labels.region }}/{{ $labels.mode }} waits beyond the starvation bound",
        "The oldest ticket has waited {{ $value | humanizeDuration }}, though there are enough tickets for a match.",
        "1m",
    )


def _at_most(of: str) -> Alert:
    most = f"max by (pool, region) (game_matchers{{{of}}}) >= on (pool) group_left () max by (pool) (game_pool_max_matchers{{{of}}})"
    return Alert(
        "MatchmakingAtMostMatchers",
        most,
        "warning",
        "{{ $labels.pool }}/{{ $labels.region }} has been at scaling.maxMatchers for ten minutes",
        "{{ $value }} matchers are alive, as many as the pool allows; more tickets will only wait longer.",
        "10m",
    )


def _relay_lag(of: str) -> Alert:
    return Alert(
        "MatchmakingRelayLags",
        f"max by (pool) (game_relay_lag_seconds{{{of}}}) > 10",
        "critical",
        "Players of pool {{ $labels.pool }} are not told that their tickets have ended",
        "The oldest end of a ticket has not been relayed for {{ $value | humanizeDuration }}; two seconds are normal after a crash.",
        "1m",
    )


def _delivery_burn() -> Iterable[Alert]:
    def share(window: str) -> str:
        timely = f'sum(rate(game_event_delivery_seconds_bucket{{le="{DELIVERY_BOUND}"}}[{window}]))'
        return f"1 - {timely} / sum(rate(game_event_delivery_seconds_count[{window}]))"

    for factor, long, short, severity in BURN:
        limit = f"{factor * DELIVERY_BUDGET:g}"
        guard = f"sum(increase(game_event_delivery_seconds_count[{long}])) >= {FEWEST_EVENTS}"
        yield Alert(
            f"EventDeliveryBurn{'Fast' if severity == 'critical' else 'Slow'}",
            f"(({share(long)}) > {limit})\nand (({share(short)}) > {limit})\nand ({guard})",
            severity,  # type: ignore[arg-type]
            "Events reach connected players late",
            f"{{{{ $value | humanizePercentage }}}} of the events of the last {long} took longer than 2 s to the socket; 0.1 % may.",
        )


def _redis() -> Iterable[Alert]:
    yield Alert(
        "RedisDown",
        "max(game_redis_up) == 0",
        "critical",
        "No gateway reaches Redis",
        "Nobody can join, be matched or be told anything until it is back; waiting tickets are kept.",
        "30s",
    )
    yield Alert(
        "RedisRefuses",
        "sum by (script) (rate(game_redis_errors_total[5m])) > 0.1",
        "warning",
        "Redis refuses or loses calls of {{ $labels.script }}",
        "{{ $value | humanize }} calls a second fail: out of memory, read-only, a missing ACL right, or time-outs.",
        "2m",
    )


def _sessions() -> Iterable[Alert]:
    yield Alert(
        "SessionTimersLate",
        "max(game_timers_late_seconds) > 10",
        "warning",
        "Deadlines of sessions pass unattended",
        "A timer is overdue by {{ $value | humanizeDuration }}; ready checks and sessions end late.",
        "1m",
    )


def _operator() -> Iterable[Alert]:
    yield Alert(
        "ReconcileFails",
        'sum(increase(matchmaking_reconciles_total{outcome="failed"}[15m])) >= 3',
        "warning",
        "The operator cannot bring pools to what they declare",
        "{{ $value | humanize }} reconciles failed within 15 minutes.",
        "5m",
    )


def _keda() -> Iterable[Alert]:
    yield Alert(
        "KedaCannotScale",
        "sum by (scaledJob) (rate(keda_scaled_job_errors_total[5m])) > 0",
        "critical",
        "KEDA cannot start matchers of {{ $labels.scaledJob }}",
        "{{ $value | humanize }} errors a second.",
        "5m",
    )
    yield Alert(
        "MatcherJobsFail",
        'sum by (namespace, reason) (kube_job_status_failed{reason!=""} > 0\n'
        '  and on (namespace, job_name) kube_job_owner{owner_kind="ScaledJob"}) >= 3',
        "warning",
        "Matcher jobs in {{ $labels.namespace }} fail: {{ $labels.reason }}",
        "{{ $value }} of the jobs that Kubernetes still keeps have failed, or were stopped at their deadline.",
        "5m",
    )


def _gateways() -> Iterable[Alert]:
    yield Alert(
        "ConnectionsNearCapacity",
        "sum(game_websocket_connections) / sum(game_websocket_capacity) > 0.8",
        "warning",
        "Gateways are nearly full",
        "{{ $value | humanizePercentage }} of the connections that the gateways are meant to hold are in use.",
        "5m",
    )
    yield Alert(
        "GatewayMetricsAbsent",
        "absent(game_websocket_connections)",
        "critical",
        "No gateway is seen",
        "Prometheus finds no gateway's metrics: none runs, or none can be scraped, and every other alert is blind.",
        "2m",
    )
    yield Alert(
        "SharedMetricsAbsent",
        "sum(game_exporter) == 0",
        "warning",
        "No gateway exports queues and matches",
        "Gateways are scraped, but none holds the exporter's lease; alerts about pools are blind.",
        "2m",
    )


def _and(*selectors: str) -> str:
    return ",".join(selector for selector in selectors if selector)
