"""Real-time Overview: how many play, how they wait, what they get."""

from .parts import BY_QUEUE, QUEUE_LEGEND, QUEUES, Board, Panel, Query, Row, mean, per_second, quantiles

VARIABLES = {"pool": "game_queue_length", "region": "game_queue_length", "mode": "game_queue_length"}


def overview() -> Board:
    """The board."""
    return Board(
        "gsm-overview",
        "Matchmaking: Real-time Overview",
        "How many players are connected, how long they wait, and what they get.",
        (_players(), _queues(), _matches(), _after(), _messages()),
        VARIABLES,
    )


def _players() -> Row:
    return Row(
        "Players",
        (
            Panel(
                "Active connections",
                "WebSocket connections of signed-in players, over all gateways.",
                "short",
                (Query("sum(game_websocket_connections)", "connections"),),
                "number",
                width=4,
            ),
            Panel(
                "Capacity used",
                "Connections, of those that the gateways are meant to hold.",
                "percentunit",
                (Query("sum(game_websocket_connections) / sum(game_websocket_capacity)", "used"),),
                "number",
                (0.6, 0.8),
                runbook="ConnectionsNearCapacity",
                width=4,
            ),
            Panel(
                "Connected players",
                "Players with a recent sign of life, as Redis knows them. Follows the connections; after a gateway's death it lags by up to 45 s.",
                "short",
                (Query("sum(game_players_connected)", "players"),),
                "number",
                width=4,
            ),
            Panel(
                "Connections by gateway",
                "How sockets are spread. They do not move by themselves: a gateway that was there first keeps more.",
                "short",
                (Query("sum by (instance) (game_websocket_connections)", "{{instance}}"),),
            ),
            Panel(
                "Opened and closed",
                "Sockets per second. A peak of both is a reconnect storm; the close code says why.",
                "ops",
                (
                    Query(per_second("game_websocket_opened_total", "instance"), "opened {{instance}}"),
                    Query(per_second("game_websocket_closed_total", "code"), "closed {{code}}"),
                ),
            ),
        ),
    )


def _queues() -> Row:
    return Row(
        "Queues",
        (
            Panel("Tickets waiting", "Length of each queue; KEDA starts matchers by it.", "short", (_queue("game_queue_length"),)),
            Panel(
                "Oldest ticket",
                "How long the oldest ticket of each queue has waited.",
                "s",
                (_queue("game_queue_oldest_seconds"),),
                steps=(60, 180),
                runbook="MatchmakingTicketStarves",
            ),
            Panel(
                "How long players wait",
                "Waits of tickets when they were matched, by percentile.",
                "s",
                quantiles("game_queue_waiting_seconds", QUEUES),
                runbook="MatchmakingWaitBurnFast",
            ),
            Panel(
                "Tickets that come and go",
                "Per second: joined, matched, and ended without a match by reason.",
                "ops",
                (
                    Query(f"sum(rate(game_tickets_joined_total{{{QUEUES}}}[$__rate_interval]))", "joined"),
                    Query(f"sum(rate(game_queue_waiting_seconds_count{{{QUEUES}}}[$__rate_interval]))", "matched"),
                    Query(per_second("game_tickets_ended_total", "reason", QUEUES), "{{reason}}"),
                ),
            ),
            Panel(
                "Refused joins",
                "Per second, by error code. `unavailable` is the service's fault, the others are the client's or the player's.",
                "ops",
                (Query(per_second("game_queue_refused_total", "code"), "{{code}}"),),
            ),
            Panel(
                "Denied handshakes",
                "Per second: connections that were answered by 429, because they came too fast, or too many are not signed in.",
                "ops",
                (Query(per_second("game_websocket_denied_total", "why"), "{{why}}"),),
            ),
            Panel(
                "Matchers",
                "Matchers with a recent heartbeat. None while nobody waits is as it should be.",
                "short",
                (Query(f"max by (pool, region) (game_matchers{{{QUEUES}}})", "{{pool}} {{region}}"),),
                runbook="MatchmakingQueueUnattended",
            ),
        ),
    )


def _matches() -> Row:
    return Row(
        "Matches",
        (
            Panel(
                "Matches a minute",
                "Match creation rate of each queue.",
                "cpm",
                (Query(f"60 * {per_second('game_matches_total', BY_QUEUE, QUEUES)}", QUEUE_LEGEND),),
            ),
            Panel(
                "Players matched",
                "Players put into a match, per second.",
                "ops",
                (Query(per_second("game_matchmaking_success_total", BY_QUEUE, QUEUES), QUEUE_LEGEND),),
            ),
            Panel(
                "Match quality",
                "Mean quality of matches; 1 is perfect, 0 the worst that the rules admit.",
                "none",
                (Query(mean("game_match_quality", QUEUES, BY_QUEUE), QUEUE_LEGEND),),
                steps=(0.5, 0.3),
                falling=True,
            ),
            Panel(
                "Fill",
                "Players in a match, of the most that it takes.",
                "percentunit",
                (Query(mean("game_match_fill_ratio", QUEUES, BY_QUEUE), QUEUE_LEGEND),),
            ),
        ),
    )


def _after() -> Row:
    return Row(
        "After the match",
        (
            Panel(
                "Ready checks",
                "Per second, by how they ended.",
                "ops",
                (Query(per_second("game_ready_checks_total", "outcome", QUEUES), "{{outcome}}"),),
            ),
            Panel(
                "Game servers",
                "Per second: servers that were found, and searches that failed.",
                "ops",
                (Query(per_second("game_allocations_total", "outcome", QUEUES), "{{outcome}}"),),
            ),
            Panel(
                "Ends of sessions",
                "Per second, by how they ended.",
                "ops",
                (Query(per_second("game_sessions_ended_total", "outcome", QUEUES), "{{outcome}}"),),
            ),
        ),
    )


def _messages() -> Row:
    return Row(
        "Messages",
        (
            Panel(
                "From clients",
                "Messages per second, by type.",
                "ops",
                (Query(per_second("game_websocket_messages_received_total", "type"), "{{type}}"),),
            ),
            Panel(
                "To clients",
                "Messages per second, by type.",
                "ops",
                (Query(per_second("game_websocket_messages_sent_total", "type"), "{{type}}"),),
            ),
            Panel(
                "Announcements",
                "News for everybody, as messages to clients per second.",
                "ops",
                (Query(per_second("game_websocket_messages_sent_total", "instance", 'type="announcement"'), "{{instance}}"),),
            ),
        ),
    )


def _queue(metric: str) -> Query:
    return Query(f"sum by ({BY_QUEUE}) ({metric}{{{QUEUES}}})", QUEUE_LEGEND)
