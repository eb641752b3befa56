"""Service levels: the two promises, how well they are kept, and how fast their budgets burn."""

from matchmaking.telemetry.alerts import DELIVERY_BUDGET, WAIT_BUDGET

from .parts import Board, Panel, Query, Row, bad_share, late_deliveries

WINDOWS = ("5m", "30m", "1h", "6h")
POOL = 'pool=~"$pool"'


def slo() -> Board:
    """The board."""
    return Board(
        "gsm-slo",
        "Matchmaking: Service levels",
        "Waits: 95 of 100 tickets are matched within the pool's slo.waitP95. Delivery: 99.9 % of events reach connected players within 2 s.",
        (_waits(), _delivery()),
        {"pool": "game_queue_length"},
        since="now-24h",
    )


def _waits() -> Row:
    burn = tuple(Query(f"({bad_share(window, POOL)}) / {WAIT_BUDGET:g}", f"{{{{pool}}}} {window}") for window in WINDOWS)
    return Row(
        "Waits",
        (
            Panel(
                "Within the objective",
                "Share of tickets matched within the pool's objective in the time shown; 95 % are promised.",
                "percentunit",
                (Query(f"1 - ({bad_share('$__range', POOL)})", "{{pool}}"),),
                "number",
                (0.97, 0.95),
                falling=True,
                runbook="MatchmakingWaitBurnSlow",
            ),
            Panel(
                "Budget left",
                "Of the tickets that may be late in the time shown, the share that is left. Below 0 the promise is broken.",
                "percentunit",
                (Query(f"1 - ({bad_share('$__range', POOL)}) / {WAIT_BUDGET:g}", "{{pool}}"),),
                "number",
                (0.25, 0),
                falling=True,
            ),
            Panel(
                "Burn rate",
                "How many times faster than allowed the budget is spent. The alert for 14.4 looks at 1 h and 5 min, that for 6 at 6 h and 30 min.",
                "short",
                burn,
                steps=(6, 14.4),
                runbook="MatchmakingWaitBurnFast",
            ),
            Panel(
                "Objectives",
                "Each pool's slo.waitP95, beside the 95th percentile of its waits.",
                "s",
                (
                    Query(f"max by (pool) (game_pool_slo_seconds{{{POOL}}})", "{{pool}} promised"),
                    Query(
                        f"histogram_quantile(0.95, sum by (le, pool) (rate(game_queue_waiting_seconds_bucket{{{POOL}}}[$__rate_interval])))",
                        "{{pool}} p95",
                    ),
                ),
            ),
        ),
    )


def _delivery() -> Row:
    burn = tuple(Query(f"({late_deliveries(window)}) / {DELIVERY_BUDGET:g}", window) for window in WINDOWS)
    return Row(
        "Delivery",
        (
            Panel(
                "Within two seconds",
                "Share of events that reached their connected player within 2 s in the time shown; 99.9 % are promised.",
                "percentunit",
                (Query(f"1 - ({late_deliveries('$__range')})", "timely"),),
                "number",
                (0.9995, 0.999),
                falling=True,
                runbook="EventDeliveryBurnSlow",
            ),
            Panel(
                "Burn rate",
                "How many times faster than allowed the budget is spent.",
                "short",
                burn,
                steps=(6, 14.4),
                runbook="EventDeliveryBurnFast",
            ),
        ),
    )
