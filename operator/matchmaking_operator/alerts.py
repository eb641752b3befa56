"""A pool's alerts, on symptoms: its promise about waits is being broken, or tickets wait and nobody matches them. Pure."""

from typing import Any

from matchmaking.core.pool import PoolRules

RUNBOOK = "https://github.com/game-session-manager/game-session-manager/blob/main/operator/README.md"
SHARE = 0.05  # of tickets may wait longer than `slo.waitP95`: that is what P95 says
BURN = ((14.4, "1h", "5m", "critical"), (6.0, "6h", "30m", "warning"))  # a month's budget spent in two days, in five: long and short window


def groups(pool: str, rules: PoolRules, buckets: tuple[float, ...]) -> list[dict[str, Any]]:
    """Rule groups for Prometheus.

    Args:
        buckets: the upper bounds of `game_queue_waiting_seconds`; a promise between two of them is judged by the one above it.
    """
    selector = f'pool="{pool}"'
    bound = next((bucket for bucket in buckets if bucket >= rules.slo.wait_p95), None)
    alerts = [] if bound is None else [_burn(pool, selector, bound, *each) for each in BURN]
    return [{"name": f"matchmaking-{pool}", "rules": [*alerts, _unattended(pool, selector, rules)]}]


def _late_share(selector: str, bound: float, window: str) -> str:
    within = f'sum(rate(game_queue_waiting_seconds_bucket{{{selector},le="{_number(bound)}"}}[{window}]))'
    return f"1 - {within} / sum(rate(game_queue_waiting_seconds_count{{{selector}}}[{window}]))"


def _burn(pool: str, selector: str, bound: float, factor: float, long: str, short: str, severity: str) -> dict[str, Any]:
    limit = f"{min(0.9, factor * SHARE):g}"
    return {
        "alert": "MatchmakingWaitsTooLong",
        "expr": f"({_late_share(selector, bound, long)}) > {limit}\nand\n({_late_share(selector, bound, short)}) > {limit}",
        "labels": {"severity": severity, "pool": pool},
        "annotations": {
            "summary": f"Players of pool {pool} wait longer than promised",
            "description": f"{{{{ $value | humanizePercentage }}}} of the tickets matched within {long} had waited over {bound:g} s; "
            f"the pool's slo.waitP95 allows 5 %.",
            "runbook_url": f"{RUNBOOK}#matchmakingwaitstoolong",
        },
    }


def _unattended(pool: str, selector: str, rules: PoolRules) -> dict[str, Any]:
    waiting = f"sum by (pool, region) (game_queue_tickets_waiting{{{selector}}}) >= {rules.min_match_tickets}"
    idle = f"sum by (pool, region) (game_queue_matchers{{{selector}}}) == 0"
    return {
        "alert": "MatchmakingQueueUnattended",
        "expr": f"({waiting})\nand\n({idle})",
        "for": "2m",
        "labels": {"severity": "critical", "pool": pool},
        "annotations": {
            "summary": f"Tickets wait in pool {pool}, and no matcher is at work",
            "description": "{{ $value }} tickets wait in region {{ $labels.region }}; KEDA has started no matcher, or none stays alive.",
            "runbook_url": f"{RUNBOOK}#matchmakingqueueunattended",
        },
    }


def _number(bound: float) -> str:
    """A bucket's label as the Prometheus client writes it."""
    return str(float(bound))
