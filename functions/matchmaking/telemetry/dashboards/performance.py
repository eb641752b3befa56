"""Performance: how fast gateways, Redis, matchers and the relay are, and who of them is the brake."""

from .overview import VARIABLES
from .parts import QUEUES, Board, Panel, Query, Row, mean, per_second, quantile, quantiles


def performance() -> Board:
    """The board."""
    return Board(
        "gsm-performance",
        "Matchmaking: Performance",
        "How fast gateways, Redis, matchers and the relay are.",
        (_sockets(), _gateways(), _redis(), _rounds(), _relay(), _operator()),
        VARIABLES,
    )


def _sockets() -> Row:
    return Row(
        "WebSocket",
        (
            Panel(
                "Event delivery",
                "From an event's writing to the socket of a connected player.",
                "s",
                quantiles("game_event_delivery_seconds"),
                steps=(0.5, 2),
                runbook="EventDeliveryBurnFast",
            ),
            Panel(
                "Requests",
                "From a client's request to its answer, 95 of 100, by type.",
                "s",
                (Query(quantile(0.95, "game_request_seconds", by="type"), "{{type}}"),),
                steps=(0.1, 1),
            ),
            Panel(
                "Message processing",
                "The gateway's own time for a frame; every 16th is timed.",
                "s",
                quantiles("game_message_seconds"),
                steps=(0.005, 0.05),
            ),
            Panel(
                "Send queue",
                "Messages that wait for slow sockets, and for the slowest one; it is closed at 64.",
                "short",
                (
                    Query("sum(game_send_queue_messages)", "all"),
                    Query("max(game_send_queue_longest)", "slowest socket"),
                ),
                steps=(1000, 10000),
            ),
        ),
    )


def _gateways() -> Row:
    return Row(
        "Gateways",
        (
            Panel(
                "CPU",
                "Cores in use by each gateway; one is all that a gateway can use.",
                "short",
                (Query("rate(process_cpu_seconds_total[$__rate_interval]) and on (instance) game_websocket_connections", "{{instance}}"),),
                steps=(0.7, 0.9),
            ),
            Panel(
                "Memory",
                "Resident memory of each gateway.",
                "bytes",
                (Query("process_resident_memory_bytes and on (instance) game_websocket_connections", "{{instance}}"),),
            ),
            Panel(
                "Event loop lag",
                "How late the event loop's last tick was: what every message waits as well.",
                "s",
                (Query("max by (instance) (game_loop_lag_seconds)", "{{instance}}"),),
                steps=(0.05, 0.5),
            ),
            Panel(
                "Exporter",
                "Which gateway exports what all share: exactly one.",
                "short",
                (Query("sum by (instance) (game_exporter)", "{{instance}}"),),
                runbook="SharedMetricsAbsent",
            ),
            Panel(
                "Versions",
                "Gateways by version: two during a rollout.",
                "short",
                (Query("count by (version, python) (game_build_info)", "{{version}} on Python {{python}}"),),
            ),
        ),
    )


def _redis() -> Row:
    return Row(
        "Redis and pub/sub",
        (
            Panel(
                "Redis reachable",
                "Gateways whose canaries come back from Redis, of all.",
                "percentunit",
                (Query("sum(game_redis_up) / count(game_redis_up)", "reachable"),),
                "number",
                (1, 0.5),
                falling=True,
                runbook="RedisDown",
                width=4,
            ),
            Panel(
                "Pub/sub latency",
                "A canary's way through publish and subscribe, once a second from each gateway.",
                "s",
                quantiles("game_bus_latency_seconds"),
                steps=(0.05, 1),
                width=8,
            ),
            Panel(
                "Calls of gateways",
                "From a pipeline's sending to its replies, 95 of 100, by script.",
                "s",
                (Query(quantile(0.95, "game_redis_call_seconds", by="script"), "{{script}}"),),
                steps=(0.05, 0.5),
            ),
            Panel(
                "Calls of matchers",
                "The same of matchers, as they count it into Redis.",
                "s",
                (Query(quantile(0.95, "game_matcher_redis_seconds", by="script"), "{{script}}"),),
                steps=(0.05, 0.5),
            ),
            Panel(
                "Pipelines a second",
                "Pipelines of gateways, by the scripts in them.",
                "ops",
                (Query(per_second("game_redis_call_seconds_count", "script"), "{{script}}"),),
            ),
            Panel(
                "Failed calls and renewed subscriptions",
                "Per second. Both are zero unless Redis is away, or fails over.",
                "ops",
                (
                    Query(per_second("game_redis_errors_total", "script"), "{{script}} failed"),
                    Query("sum(rate(game_bus_resyncs_total[$__rate_interval]))", "subscriptions renewed"),
                ),
                steps=(0.01, 0.1),
                runbook="RedisRefuses",
            ),
        ),
    )


def _rounds() -> Row:
    return Row(
        "Queue processing",
        (
            Panel(
                "Rounds by phase",
                "95 of 100: read (changes taken up), match (the rules), commit and relay (Redis; the two overlap).",
                "s",
                (Query(quantile(0.95, "game_round_seconds", QUEUES, "phase"), "{{phase}}"),),
                steps=(0.25, 1),
            ),
            Panel(
                "Time in phases",
                "Seconds spent in each phase for each second: over 1, more than one matcher is busy with it.",
                "short",
                (Query(per_second("game_round_seconds_sum", "phase", QUEUES), "{{phase}}"),),
            ),
            Panel(
                "Rounds a second",
                "Matchers' passes over their queues.",
                "ops",
                (Query(per_second("game_rounds_total", "pool, region", QUEUES), "{{pool}} {{region}}"),),
            ),
            Panel(
                "Proposals",
                "Per second. Conflicts are tickets that another matcher had taken; ghosts are tickets whose players have gone.",
                "ops",
                (Query(per_second("game_proposals_total", "outcome", QUEUES), "{{outcome}}"),),
            ),
            Panel(
                "Mean round",
                "Mean time of the matching itself, by pool.",
                "s",
                (Query(mean("game_round_seconds", QUEUES + ',phase="match"', "pool"), "{{pool}}"),),
            ),
        ),
    )


def _relay() -> Row:
    return Row(
        "Relay and timers",
        (
            Panel(
                "Relay lag",
                "Age of the oldest end of a ticket that its players do not have yet.",
                "s",
                (Query('max by (pool) (game_relay_lag_seconds{pool=~"$pool"})', "{{pool}}"),),
                steps=(3, 10),
                runbook="MatchmakingRelayLags",
            ),
            Panel(
                "Outboxes",
                "Ends of tickets that are not yet relayed.",
                "short",
                (Query('max by (pool) (game_outbox_length{pool=~"$pool"})', "{{pool}}"),),
            ),
            Panel(
                "Taken over",
                "Per second: outbox entries relayed for somebody who died over them, and tickets ended by the sweep.",
                "ops",
                (
                    Query("sum(rate(game_relay_taken_over_total[$__rate_interval]))", "relayed for others"),
                    Query("sum(rate(game_tickets_swept_total[$__rate_interval]))", "tickets swept"),
                ),
            ),
            Panel(
                "Timers",
                "Timers of sessions that are set, and by how much the latest is overdue.",
                "short",
                (Query("sum(game_timers)", "set"), Query("max(game_timers_late_seconds)", "overdue")),
                right=("overdue", "s"),
                runbook="SessionTimersLate",
            ),
        ),
    )


def _operator() -> Row:
    return Row(
        "Operator",
        (
            Panel(
                "Reconciles",
                "Per second, by outcome; and 95 of 100 by duration.",
                "ops",
                (
                    Query(per_second("matchmaking_reconciles_total", "outcome"), "{{outcome}}"),
                    Query(quantile(0.95, "matchmaking_reconcile_seconds"), "p95"),
                ),
                right=("p95", "s"),
                runbook="ReconcileFails",
            ),
            Panel(
                "Pools by condition",
                "Pools whose condition is not as it should be are `False`, or `True` for `Degraded`.",
                "short",
                (Query("sum by (condition, status) (matchmaking_pools)", "{{condition}} {{status}}"),),
            ),
            Panel(
                "Objects",
                "Per second: written, and found changed or gone; and tickets of queues that are declared no longer.",
                "ops",
                (
                    Query(per_second("matchmaking_objects_applied_total", "kind"), "{{kind}} written"),
                    Query(per_second("matchmaking_drift_total", "kind"), "{{kind}} put right"),
                    Query("sum(rate(matchmaking_tickets_drained_total[$__rate_interval]))", "tickets drained"),
                ),
            ),
            Panel(
                "Watch lag",
                "For how long the operator's watch has missed a change; it restarts itself when that is long.",
                "s",
                (Query("max(matchmaking_watch_lag_seconds)", "lag"),),
                steps=(30, 120),
            ),
        ),
    )
