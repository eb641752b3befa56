"""For each alert: series by which it must fire, and such by which it must stay silent. Times are minutes; `60x120` holds or counts on."""

from dataclasses import dataclass, field

QUEUE = 'pool="duel",region="eu",mode="ranked"'
POOL = 'pool="duel"'
GATEWAY = 'instance="gw-1"'


@dataclass
class Case:
    """`fires` and `silent` are lists of (what, series → values); `labels` those of the alert that fires."""

    alert: str
    at: str
    fires: dict[str, str]
    silent: dict[str, dict[str, str]]
    labels: dict[str, str] = field(default_factory=dict)


def waits(good: int, bad: int, minutes: int = 400) -> dict[str, str]:
    """Tickets by minute."""
    return {
        f'game_slo_waits_total{{{QUEUE},result="good"}}': f"0+{good}x{minutes}",
        f'game_slo_waits_total{{{QUEUE},result="bad"}}': f"0+{bad}x{minutes}",
    }


def deliveries(timely: int, late: int, minutes: int = 400) -> dict[str, str]:
    return {
        f'game_event_delivery_seconds_bucket{{{GATEWAY},le="2.0"}}': f"0+{timely}x{minutes}",
        f"game_event_delivery_seconds_count{{{GATEWAY}}}": f"0+{timely + late}x{minutes}",
    }


def queue(length: int, matchers: int, oldest: int, fewest: int = 2, minutes: int = 60) -> dict[str, str]:
    return {
        f"game_queue_length{{{QUEUE}}}": f"{length}x{minutes}",
        f"game_matchers{{{QUEUE}}}": f"{matchers}x{minutes}",
        f"game_queue_oldest_seconds{{{QUEUE}}}": f"{oldest}x{minutes}",
        f"game_pool_min_tickets{{{POOL}}}": f"{fewest}x{minutes}",
        f"game_pool_polling_seconds{{{POOL}}}": f"1x{minutes}",
        f"game_pool_starvation_seconds{{{POOL}}}": f"180x{minutes}",
        f"game_pool_max_matchers{{{POOL}}}": f"8x{minutes}",
    }


RECENT_GOOD = {  # nothing but late tickets for five hours, then half an hour of good ones
    f'game_slo_waits_total{{{QUEUE},result="good"}}': "0x300 0+10x60",
    f'game_slo_waits_total{{{QUEUE},result="bad"}}': "0+10x300 3000x60",
}
WHERE = {"pool": "duel", "region": "eu", "mode": "ranked"}

CASES = (
    Case(
        "MatchmakingWaitBurnFast",
        "90m",
        waits(2, 8),
        {
            "a tenth is late": waits(9, 1),
            "hardly anybody plays": waits(0, 0) | {f'game_slo_waits_total{{{QUEUE},result="bad"}}': "0x80 5x20"},
        },
        {"pool": "duel"},
    ),
    Case(
        "MatchmakingWaitBurnSlow",
        "380m",
        waits(6, 4),
        {"a fifth is late": waits(8, 2), "it is over": RECENT_GOOD},
        {"pool": "duel"},
    ),
    Case(
        "MatchmakingQueueUnattended",
        "10m",
        queue(2, 0, 60),
        {"a matcher lives": queue(2, 1, 60), "too few for a match": queue(1, 0, 60), "they have only just come": queue(2, 0, 20)},
        WHERE,
    ),
    Case(
        "MatchmakingTicketStarves",
        "10m",
        queue(5, 1, 200),
        {"within the bound": queue(5, 1, 170), "alone in the queue": queue(1, 1, 200)},
        WHERE,
    ),
    Case(
        "MatchmakingAtMostMatchers",
        "20m",
        queue(100, 8, 5),
        {"one less": queue(100, 7, 5), "not for long": queue(100, 7, 5) | {f"game_matchers{{{QUEUE}}}": "7x15 8x4"}},
        {"pool": "duel", "region": "eu"},
    ),
    Case(
        "MatchmakingRelayLags",
        "5m",
        {f"game_relay_lag_seconds{{{POOL}}}": "11x10"},
        {
            "a normal take-over": {f"game_relay_lag_seconds{{{POOL}}}": "2.5x10"},
            "a moment": {f"game_relay_lag_seconds{{{POOL}}}": "0x4 20 0x5"},
        },
        {"pool": "duel"},
    ),
    Case(
        "EventDeliveryBurnFast",
        "90m",
        deliveries(980, 20),
        {"within the objective": deliveries(9995, 5), "too few to tell": deliveries(0, 1)},
    ),
    Case("EventDeliveryBurnSlow", "380m", deliveries(990, 10), {"within the budget": deliveries(9960, 40)}),
    Case(
        "RedisDown",
        "5m",
        {'game_redis_up{instance="gw-1"}': "0x10", 'game_redis_up{instance="gw-2"}': "0x10"},
        {"one gateway is cut off": {'game_redis_up{instance="gw-1"}': "0x10", 'game_redis_up{instance="gw-2"}': "1x10"}},
    ),
    Case(
        "RedisRefuses",
        "15m",
        {'game_redis_errors_total{script="commit"}': "0+60x20"},
        {"one slip": {'game_redis_errors_total{script="commit"}': "0x5 1x15"}},
        {"script": "commit"},
    ),
    Case(
        "SessionTimersLate",
        "5m",
        {"game_timers_late_seconds": "12x10"},
        {"looked at in time": {"game_timers_late_seconds": "0.4x10"}},
    ),
    Case(
        "ReconcileFails",
        "30m",
        {'matchmaking_reconciles_total{outcome="failed"}': "0+1x40", 'matchmaking_reconciles_total{outcome="ok"}': "0+1x40"},
        {"all go well": {'matchmaking_reconciles_total{outcome="failed"}': "0x40", 'matchmaking_reconciles_total{outcome="ok"}': "0+5x40"}},
    ),
    Case(
        "KedaCannotScale",
        "20m",
        {'keda_scaled_job_errors_total{scaledJob="duel-eu"}': "0+2x30"},
        {"no error": {'keda_scaled_job_errors_total{scaledJob="duel-eu"}': "3x30"}},
        {"scaledJob": "duel-eu"},
    ),
    Case(
        "MatcherJobsFail",
        "10m",
        {
            series: "1x20"
            for n in range(3)
            for series in (
                f'kube_job_status_failed{{namespace="games",job_name="duel-{n}",reason="DeadlineExceeded"}}',
                f'kube_job_owner{{namespace="games",job_name="duel-{n}",owner_kind="ScaledJob"}}',
            )
        },
        {
            "somebody else's jobs": {
                f'kube_job_status_failed{{namespace="games",job_name="backup-{n}",reason="DeadlineExceeded"}}': "1x20" for n in range(3)
            }
        },
        {"namespace": "games", "reason": "DeadlineExceeded"},
    ),
    Case(
        "ConnectionsNearCapacity",
        "10m",
        {
            'game_websocket_connections{instance="gw-1"}': "9000x20",
            'game_websocket_connections{instance="gw-2"}': "7500x20",
            'game_websocket_capacity{instance="gw-1"}': "10000x20",
            'game_websocket_capacity{instance="gw-2"}': "10000x20",
        },
        {
            "one is full, the other is not": {
                'game_websocket_connections{instance="gw-1"}': "9900x20",
                'game_websocket_connections{instance="gw-2"}': "100x20",
                'game_websocket_capacity{instance="gw-1"}': "10000x20",
                'game_websocket_capacity{instance="gw-2"}': "10000x20",
            }
        },
    ),
    Case("GatewayMetricsAbsent", "10m", {"up": "1x20"}, {"one gateway": {"game_websocket_connections": "0x20"}}),
    Case(
        "SharedMetricsAbsent",
        "10m",
        {'game_exporter{instance="gw-1"}': "0x20", 'game_exporter{instance="gw-2"}': "0x20"},
        {"one exports": {'game_exporter{instance="gw-1"}': "0x20", 'game_exporter{instance="gw-2"}': "1x20"}},
    ),
)
