"""Metrics: their definitions, counting in Redis' manner, and what one gateway exports for all."""

import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from matchmaking.protocol.close_codes import CloseCode
from matchmaking.telemetry import metrics
from matchmaking.telemetry.exposition import render
from matchmaking.telemetry.gateway import GatewayMetrics, NoMetrics
from matchmaking.telemetry.operator_metrics import OperatorMetrics
from matchmaking.telemetry.readings import PoolReading, QueueReading, Reading
from matchmaking.telemetry.shared import FRESH, SharedCollector

QUEUE = {"pool": "duel", "region": "local", "mode": "ranked"}


def samples(registry: CollectorRegistry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return samples(registry)[name, frozenset(labels.items())]


def test_names_and_keys_are_unique_and_follow_the_conventions() -> None:
    names = [metric.name for metric in metrics.METRICS]
    keys = [metric.key for metric in metrics.COUNTED]
    assert len(set(names)) == len(names)
    assert len(set(keys)) == len(keys)
    for metric in metrics.METRICS:
        assert metric.name.startswith("matchmaking_" if metric.source == "operator" else "game_")
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name
        assert bool(metric.buckets) == (metric.kind == "histogram"), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert metric.what.endswith("."), metric.name


def test_the_names_known_from_the_first_day() -> None:
    kinds = {metric.name: metric.kind for metric in metrics.METRICS}
    assert kinds["game_websocket_connections"] == "gauge"
    assert kinds["game_queue_waiting_seconds"] == "histogram"
    assert kinds["game_matchmaking_success_total"] == "counter"


def test_a_value_is_in_the_bucket_whose_bound_it_reaches() -> None:
    counts: dict[str, int] = {}
    for waited in (0.0, 0.25, 0.251, 600.0, 601.0):
        metrics.observe(counts, metrics.WAITED, waited)
    buckets, total = metrics.histogram(counts, metrics.WAITED)
    assert dict(buckets)["0.25"] == 2
    assert dict(buckets)["0.5"] == 3
    assert dict(buckets)["600.0"] == 4
    assert buckets[-1] == ("+Inf", 5.0)
    assert total == pytest.approx(1201.501)


def test_what_all_share_is_exported_from_a_reading() -> None:
    registry = CollectorRegistry()
    collector = SharedCollector(registry)
    counts: dict[str, int] = {"ended|expired": 2, "ended|left": 3, "ended|novel": 1}
    metrics.count(counts, metrics.SUCCESS, by=10)
    metrics.count(counts, metrics.SLO, "good", by=4)
    metrics.count(counts, metrics.SLO, "bad")
    metrics.observe(counts, metrics.QUALITY, 0.85)
    metrics.observe(counts, metrics.ROUND, 0.004, "match")
    metrics.observe(counts, metrics.MATCHER_CALLS, 0.002, "commit")
    queue = QueueReading("duel", "local", "ranked", counts, 7, 12.5, 2, {"skill": 5})
    other = QueueReading("duel", "local", "casual", {"call|commit|b2": 1, "call|commit|sum": 2})
    reading = Reading((queue, other), (PoolReading("duel", 3, 1.5, 60.0, 8, 180.0, 1.0, 2, 4),), 9)
    collector.show(reading, time.monotonic())
    assert value(registry, "game_matchmaking_success_total", **QUEUE) == 10
    assert value(registry, "game_matchmaking_success_total", **(QUEUE | {"mode": "casual"})) == 0, "zeros are shown"
    assert value(registry, "game_tickets_ended_total", **QUEUE, reason="expired") == 2
    assert value(registry, "game_tickets_ended_total", **QUEUE, reason="novel") == 1
    assert value(registry, "game_tickets_ended_total", **QUEUE, reason="quarantined") == 0
    assert value(registry, "game_slo_waits_total", **QUEUE, result="good") == 4
    assert value(registry, "game_slo_waits_total", **QUEUE, result="bad") == 3, "expired tickets waited too long as well"
    assert value(registry, "game_match_quality_bucket", **QUEUE, le="0.9") == 1
    assert value(registry, "game_match_quality_bucket", **QUEUE, le="0.8") == 0
    assert value(registry, "game_round_seconds_count", **QUEUE, phase="match") == 1
    assert value(registry, "game_matcher_redis_seconds_count", script="commit") == 2, "summed over queues"
    assert value(registry, "game_queue_length", **QUEUE) == 7
    assert value(registry, "game_queue_oldest_seconds", **QUEUE) == 12.5
    assert value(registry, "game_matchers", **QUEUE) == 2
    assert value(registry, "game_waiting_blocked", **QUEUE, rule="skill") == 5
    assert value(registry, "game_outbox_length", pool="duel") == 3
    assert value(registry, "game_relay_lag_seconds", pool="duel") == 1.5
    assert value(registry, "game_pool_slo_seconds", pool="duel") == 60
    assert value(registry, "game_players_connected") == 9


def test_a_reading_that_is_old_or_given_up_is_not_exported() -> None:
    registry = CollectorRegistry()
    collector = SharedCollector(registry)
    nothing = {("game_exporter", frozenset[tuple[str, str]]()): 0.0}
    assert samples(registry) == nothing, "nothing was read yet"
    collector.show(Reading(connected=1), time.monotonic() - FRESH - 0.1)
    assert samples(registry) == nothing, "its gateway lost Redis or the lease"
    collector.show(Reading(connected=1), time.monotonic())
    assert value(registry, "game_players_connected") == value(registry, "game_exporter") == 1
    collector.show(Reading(connected=1), time.monotonic() - FRESH - 0.1)
    collector.hold(time.monotonic())
    assert value(registry, "game_players_connected") == 1, "what was read before is shown for as long as the lease is held"
    collector.show(None, 0.0)
    assert samples(registry) == nothing


def test_a_scrape_that_began_before_the_lease_was_lost_says_one_thing_to_its_end() -> None:
    registry = CollectorRegistry()
    collector = SharedCollector(registry)
    for first, then, exporting in ((Reading(connected=1), None, True), (None, Reading(connected=1), False)):
        collector.show(first, time.monotonic())
        scrape = collector.collect()
        families = [next(scrape)]
        collector.show(then, time.monotonic())
        families += scrape
        found = {family.name: sum(sample.value for sample in family.samples) for family in families}
        assert found["game_exporter"] == exporting
        assert ("game_players_connected" in found) == exporting


def test_every_metric_of_a_gateway_and_of_the_store_is_exported() -> None:
    """The other direction, that nothing else is exported under our prefix, included."""
    gateway = GatewayMetrics()
    counts: dict[str, int] = {"call|commit|b0": 1}
    reading = Reading((QueueReading("duel", "local", "ranked", counts, blocked={"skill": 1}),), (PoolReading("duel"),))
    gateway.shared.show(reading, time.monotonic())
    gateway.called("join", 0.001, 1)
    gateway.requests.labels("queue_join").observe(0.01)
    exported = {name for name, _ in samples(gateway.registry) if name.startswith("game_")}
    expected = {name for metric in metrics.METRICS if metric.source != "operator" for name in metrics.series(metric)}
    assert exported == expected


def test_our_text_says_what_the_librarys_says_whatever_is_in_labels_and_values() -> None:
    gateway = GatewayMetrics()
    odd = 'a "quoted" \\ word\nand a line'
    reading = Reading(
        (QueueReading("duel", "local", "ranked", {"matched": 3}, blocked={odd: 2}),), (PoolReading("duel", slo=float("inf")),), 4
    )
    gateway.shared.show(reading, time.monotonic())
    gateway.bus_seconds.observe(0.003)
    gateway.sent.count("hello", 10**9)
    gateway.loop_lag.set(float("nan"))
    gateway.send_queue.set(1.5e-7)

    def said(text: bytes) -> list[tuple[str, str, str, list[tuple[str, dict[str, str], str]]]]:
        parsed = text_string_to_metric_families(text.decode())
        found = [(f.name, f.type, f.documentation, [(s.name, s.labels, repr(s.value)) for s in f.samples]) for f in parsed]
        return [each for each in found if not each[0].startswith("process_")]  # they differ from one moment to the next

    assert said(render(gateway.registry)) == said(generate_latest(gateway.registry))
    assert value(gateway.registry, "game_waiting_blocked", **QUEUE, rule=odd) == 2


def test_every_metric_of_the_operator_is_exported() -> None:
    operator = OperatorMetrics()
    operator.pools.labels("Ready", "True")
    operator.applied.labels("ScaledJob")
    operator.drift.labels("ScaledJob")
    exported = {name for name, _ in samples(operator.registry) if not name.startswith("process_")}
    assert exported == {name for metric in metrics.METRICS if metric.source == "operator" for name in metrics.series(metric)}


def test_labels_that_are_known_beforehand_begin_at_zero() -> None:
    registry = GatewayMetrics().registry
    assert value(registry, "game_websocket_closed_total", code=str(int(CloseCode.SLOW_CONSUMER))) == 0
    assert value(registry, "game_websocket_messages_received_total", type="queue_join") == 0
    assert value(registry, "game_websocket_messages_sent_total", type="match_found") == 0
    assert value(registry, "game_queue_refused_total", code="already_queued") == 0


async def test_nothing_is_counted_where_counting_is_off() -> None:
    off = NoMetrics()
    off.sent.count("hello")
    off.closed.labels("1000").inc()
    off.bus_seconds.observe(0.1)
    off.shared.show(Reading(), 0.0)

    async def work() -> int:
        return 1

    assert await off.timed("queue_join", work()) == 1
    assert off.sampled() == 0
    assert not samples(off.registry)
