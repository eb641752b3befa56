"""One pool: waits, quality, what blocks, matchers, and how its promise stands."""

from matchmaking.telemetry.alerts import WAIT_BUDGET

from .parts import Board, Panel, Query, Row, bad_share, mean, per_second, quantile, quantiles


def pool_board(pool: str, uid: str) -> Board:
    """The board of one pool."""
    of = f'pool="{pool}"'
    queues = of + ',region=~"$region",mode=~"$mode"'
    variables = {"region": f"game_queue_length{{{of}}}", "mode": f"game_queue_length{{{of}}}"}
    title = f"Matchmaking: {pool}"
    what = f"Waits, match quality, what blocks, and matchers of the pool {pool}."
    return Board(uid, title, what, (_promise(of), _waits(queues), _quality(queues), _matchers(of, queues)), variables, (pool,))


def _promise(of: str) -> Row:
    return Row(
        "Promise",
        (
            Panel(
                "Within the objective",
                "Share of tickets matched within slo.waitP95 in the time shown; 95 % are promised.",
                "percentunit",
                (Query(f"1 - ({bad_share('$__range', of)})", "within"),),
                "number",
                (0.97, 0.95),
                falling=True,
                runbook="MatchmakingWaitBurnSlow",
                width=6,
            ),
            Panel(
                "Promised p95",
                "The pool's slo.waitP95.",
                "s",
                (Query(f"max(game_pool_slo_seconds{{{of}}})", "promised"),),
                "number",
                width=6,
            ),
            Panel(
                "Burn rate",
                "How many times faster than allowed late tickets come.",
                "short",
                tuple(Query(f"({bad_share(window, of)}) / {WAIT_BUDGET:g}", window) for window in ("5m", "1h", "6h")),
                steps=(6, 14.4),
                runbook="MatchmakingWaitBurnFast",
            ),
        ),
    )


def _waits(queues: str) -> Row:
    return Row(
        "Players",
        (
            Panel(
                "How long players wait",
                "Waits of tickets when they were matched, by percentile.",
                "s",
                quantiles("game_queue_waiting_seconds", queues),
            ),
            Panel(
                "Tickets waiting",
                "By region and mode.",
                "short",
                (Query(f"sum by (region, mode) (game_queue_length{{{queues}}})", "{{region}} {{mode}}"),),
            ),
            Panel(
                "What blocks",
                "Waiting tickets by the rule that blocks most of their candidates; `players` means too few of them.",
                "short",
                (Query(f"sum by (rule) (game_waiting_blocked{{{queues}}})", "{{rule}}"),),
            ),
            Panel(
                "Oldest ticket",
                "How long the oldest ticket has waited, and the bound beyond which a ticket counts as starving.",
                "s",
                (
                    Query(f"max by (region, mode) (game_queue_oldest_seconds{{{queues}}})", "{{region}} {{mode}}"),
                    Query(f"max(game_pool_starvation_seconds{{{queues.split(',', 1)[0]}}})", "starvation bound"),
                ),
                runbook="MatchmakingTicketStarves",
            ),
            Panel(
                "Tickets that come and go",
                "Per second: joined, and ended without a match by reason.",
                "ops",
                (
                    Query(f"sum(rate(game_tickets_joined_total{{{queues}}}[$__rate_interval]))", "joined"),
                    Query(per_second("game_tickets_ended_total", "reason", queues), "{{reason}}"),
                ),
            ),
            Panel(
                "Players matched",
                "Players put into a match, per second.",
                "ops",
                (Query(per_second("game_matchmaking_success_total", "region, mode", queues), "{{region}} {{mode}}"),),
            ),
        ),
    )


def _quality(queues: str) -> Row:
    return Row(
        "Matches",
        (
            Panel(
                "Quality against wait",
                "Mean quality of matches (1 is perfect) and the 95th percentile of waits: rules trade one for the other.",
                "none",
                (
                    Query(mean("game_match_quality", queues), "quality"),
                    Query(quantile(0.95, "game_queue_waiting_seconds", queues), "wait p95"),
                ),
                right=("wait p95", "s"),
            ),
            Panel(
                "Rating gap and imbalance",
                "95 of 100 matches: greatest difference between two players, and between two teams' averages.",
                "short",
                (
                    Query(quantile(0.95, "game_match_rating_gap", queues), "gap between players"),
                    Query(quantile(0.95, "game_match_imbalance", queues), "gap between teams"),
                ),
            ),
            Panel(
                "Fill rate",
                "Players in a match, of the most that it takes.",
                "percentunit",
                (Query(mean("game_match_fill_ratio", queues, "region, mode"), "{{region}} {{mode}}"),),
            ),
            Panel(
                "Ready checks",
                "Per second, by how they ended.",
                "ops",
                (Query(per_second("game_ready_checks_total", "outcome", queues), "{{outcome}}"),),
            ),
        ),
    )


def _matchers(of: str, queues: str) -> Row:
    return Row(
        "Matchers",
        (
            Panel(
                "Matchers at work",
                "By region, as their heartbeats tell, and the most that the pool admits.",
                "short",
                (
                    Query(f"max by (region) (game_matchers{{{queues}}})", "{{region}}"),
                    Query(f"max(game_pool_max_matchers{{{of}}})", "maxMatchers"),
                ),
                runbook="MatchmakingAtMostMatchers",
            ),
            Panel(
                "Rounds by phase",
                "95 of 100 rounds of its matchers, by phase.",
                "s",
                (Query(quantile(0.95, "game_round_seconds", queues, "phase"), "{{phase}}"),),
            ),
            Panel(
                "Proposals",
                "Per second, by what their commit said.",
                "ops",
                (Query(per_second("game_proposals_total", "outcome", queues), "{{outcome}}"),),
            ),
            Panel(
                "Rules",
                "The revision of the pool's rules: a step is a change, to be compared with the lines above.",
                "short",
                (Query(f"max(game_pool_revision{{{of}}})", "revision"),),
            ),
        ),
    )
