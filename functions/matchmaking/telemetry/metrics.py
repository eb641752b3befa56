"""Every metric of the gateway. Labels are bounded: pools, regions and modes are those that are declared; types and codes those of the protocol."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

QUEUE = ("pool", "region", "mode")
WAIT_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
DELIVERY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)


class GatewayMetrics:
    """One gateway's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.connections = Gauge("game_websocket_connections", "WebSocket connections of signed-in players.", registry=self.registry)
        self.waiting_seconds = Histogram(
            "game_queue_waiting_seconds",
            "How long players had waited when they were matched.",
            QUEUE,
            buckets=WAIT_BUCKETS,
            registry=self.registry,
        )
        self.success = Counter("game_matchmaking_success_total", "Players handed a match.", QUEUE, registry=self.registry)
        self.received = Counter("game_websocket_messages_received_total", "Messages from clients.", ("type",), registry=self.registry)
        self.sent = Counter("game_websocket_messages_sent_total", "Messages to clients.", ("type",), registry=self.registry)
        self.closed = Counter("game_websocket_closed_total", "Connections closed by the gateway.", ("code",), registry=self.registry)
        self.refused = Counter("game_queue_refused_total", "Joins that were refused.", ("code",), registry=self.registry)
        self.delivery_seconds = Histogram(
            "game_event_delivery_seconds",
            "From an event's commit to its write to the socket.",
            buckets=DELIVERY_BUCKETS,
            registry=self.registry,
        )
        self.bus_seconds = Gauge("game_bus_latency_seconds", "A canary's way through Redis' publish and subscribe.", registry=self.registry)
        self.relayed = Counter(
            "game_relay_taken_over_total", "Outbox entries relayed for somebody who had left them behind.", registry=self.registry
        )
        self.ended = Counter("game_tickets_swept_total", "Tickets that this gateway's sweep ended.", registry=self.registry)
