"""A real Prometheus scrapes a real system (gateways and matchers as processes, a Redis), through the death of a gateway and of a matcher.

Every query of every dashboard's every panel returns data, no alert's expression is an error, and sums over gateways are what Redis holds.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import websockets
from prometheus_client import Metric, start_http_server
from prometheus_client.registry import Collector

from deployment import Deployment, GatewayProcess, deployment
from matchmaking.telemetry.operator_metrics import OperatorMetrics
from support.cluster import CHART
from support.gateways import Player
from support.panels import panel_queries
from support.prometheus_server import PrometheusServer, find_prometheus
from support.redis_server import free_port

PATIENCE = 60.0  # s, of a loaded machine


@pytest.fixture(scope="module")
def running() -> Iterator[Deployment]:
    find_prometheus()
    with deployment(2) as started:
        started.add_matcher()
        yield started


@pytest.fixture(scope="module")
def prometheus(running: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    operator, server, thread = serve_operator()
    ports = [gateway.metrics_port for gateway in running.gateways]
    rules = [CHART / "files" / "pool-alerts.yaml", CHART / "files" / "alerts" / "service.yaml"]
    with PrometheusServer(tmp_path_factory.mktemp("prometheus"), {"gateway": ports, "operator": [operator]}, rules) as started:
        yield started
    server.shutdown()
    server.server_close()
    thread.join()


class Reconciling(Collector):
    """One reconcile for each scrape."""

    def __init__(self, metrics: OperatorMetrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        self._metrics.reconcile_seconds.observe(0.1)
        yield from ()


def serve_operator() -> tuple[int, Any, Any]:
    """The operator needs a cluster; its metrics are served here as it serves them, as it reconciles now and then."""
    metrics, port = OperatorMetrics(), free_port()
    metrics.reconciles.labels(outcome="ok").inc()
    metrics.pools.labels("Ready", "True").set(1)
    metrics.applied.labels("ScaledJob").inc()
    metrics.drift.labels("ScaledJob").inc()
    metrics.registry.register(Reconciling(metrics))
    return port, *start_http_server(port, "127.0.0.1", metrics.registry)


async def open_player(running: Deployment, gateway: GatewayProcess, name: str) -> Player:
    headers = {"Authorization": f"Bearer {running.keys.token(name)}"}
    url = f"ws://127.0.0.1:{gateway.port}/ws/{name}"
    player = Player(await websockets.connect(url, subprotocols=["gsm.v1"], additional_headers=headers))  # type: ignore[list-item]
    await player.receive("hello", PATIENCE)
    return player


async def play(running: Deployment, gateways: list[GatewayProcess], pairs: int, prefix: str) -> None:
    """Players meet; on the way they ask for what is refused, leave, beat."""
    players = [await open_player(running, gateways[i % len(gateways)], f"{prefix}-{i}") for i in range(2 * pairs)]
    for player in players:
        await player.send("heartbeat")
        assert (await player.join())["type"] == "queue_joined"
    for player in players:
        await player.receive("match_found", PATIENCE)
    for player in players:
        await player.socket.close()


async def read_on(player: Player) -> None:
    """What nobody reads would hold the socket up."""
    with suppress(websockets.ConnectionClosed):
        async for _ in player.socket:
            pass


async def linger(running: Deployment, gateway: GatewayProcess, stop: asyncio.Event) -> None:
    """A lone player waits, so that there is a queue to look at; another comes and goes all the time."""
    lone, other = await open_player(running, gateway, "lone"), await open_player(running, gateway, "other")
    readers = [asyncio.ensure_future(read_on(player)) for player in (lone, other)]
    await lone.send("queue_join", pool="duel", region="local", mode="casual", op_id="1")
    turn = 0
    while not stop.is_set():
        turn += 1
        await other.send("queue_join", pool="squads", region="local", mode="casual", op_id=f"j{turn}")
        await other.send("queue_join", pool="nowhere", region="local", mode="casual", op_id=f"x{turn}")
        await other.send("queue_leave", op_id=f"l{turn}")
        await lone.send("heartbeat")
        running.announce("news")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.5)
    for player in (lone, other):
        await player.socket.close()
    await asyncio.gather(*readers)


async def eventually(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.5)


async def test_every_query_of_every_panel_returns_data(running: Deployment, prometheus: PrometheusServer) -> None:
    stop = asyncio.Event()
    lingering = asyncio.ensure_future(linger(running, running.gateways[0], stop))
    left = panel_queries("duel")
    deadline = time.monotonic() + PATIENCE
    turn = 0
    while left and time.monotonic() < deadline:
        turn += 1
        await play(running, running.gateways, 2, f"turn{turn}")
        await asyncio.sleep(1)
        if lingering.done():
            lingering.result()
        for panel, query in list(left.items()):
            if await asyncio.to_thread(prometheus.values, query):
                del left[panel]
    stop.set()
    await lingering
    assert not left


async def test_no_alerts_expression_is_an_error(prometheus: PrometheusServer) -> None:
    await eventually("the rules are evaluated", lambda: bool((prometheus.ask("rules") or {}).get("groups")))
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) >= 17
    await eventually("each was evaluated", lambda: all(r["health"] == "ok" for g in prometheus.ask("rules")["groups"] for r in g["rules"]))


async def test_sums_are_what_redis_holds_after_a_gateway_and_a_matcher_were_killed(
    running: Deployment, prometheus: PrometheusServer
) -> None:
    def held(field: str) -> float:
        keys = running.redis.keys("pool:{*}:statistics:*")
        return float(sum(int(running.redis.hget(key, field) or 0) for key in keys))

    def sums(metric: str) -> float:
        return sum(prometheus.values(f"sum({metric})"))

    matcher = running.add_matcher()
    await play(running, running.gateways, 3, "before")
    exporting = [gateway for gateway in running.gateways if "\ngame_exporter 1.0" in gateway.metrics()]
    assert len(exporting) == 1
    exporting[0].process.send_signal(signal.SIGKILL)
    matcher.send_signal(signal.SIGKILL)
    others = [gateway for gateway in running.gateways if gateway is not exporting[0]]
    await play(running, others, 3, "after")
    assert held("players") >= 12
    for metric, field in (
        ("game_matchmaking_success_total", "players"),
        ("game_matches_total", "matched"),
        ("game_tickets_joined_total", "joined"),
    ):
        await eventually(metric, lambda metric=metric, field=field: sums(metric) == held(field))
    await eventually("one exports", lambda: sums("game_exporter") == 1)
    await eventually("nobody is connected", lambda: sums("game_websocket_connections") == 0)
