"""Two real gateways and matchers on a real Redis: what all share is exported by one of them, whoever dies."""

import asyncio
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from matchmaking.store.redis_store import RedisStore
from support.gateways import Gateway, gateway, matcher
from support.tokens import Signer


async def scrape(*gateways: Gateway) -> dict[str, float]:
    """Name → sum over gateways and labels, as a dashboard sums."""
    sums: dict[str, float] = {}
    for each in gateways:
        url = f"http://127.0.0.1:{each.settings.metrics_port}/metrics"
        text = await asyncio.to_thread(lambda url=url: urllib.request.urlopen(url).read().decode())
        found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        exports = any(sample.name == "game_exporter" and sample.value for sample in found)
        assert exports == any(sample.name == "game_players_connected" for sample in found), "what all share comes from the exporter alone"
        for sample in found:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


async def until(condition: str, *gateways: Gateway, **expected: float) -> dict[str, float]:
    async with asyncio.timeout(20):
        while True:
            sums = await scrape(*gateways)
            if all(sums.get(name) == number for name, number in expected.items()):
                return sums
            assert all(sums.get(name, 0.0) <= number for name, number in expected.items()), f"{condition}: counted twice"
            await asyncio.sleep(0.2)


async def play(redis_url: str, first: Gateway, second: Gateway, names: tuple[str, str]) -> None:
    async with first.player(names[0]) as one, second.player(names[1]) as two, matcher(redis_url):
        await one.join()
        await two.join()
        await one.receive("match_found", 10)
        await two.receive("match_found", 10)


async def test_the_sum_over_gateways_is_what_redis_holds_though_gateways_and_matchers_end(
    redis_url: str, tmp_path: Path, store: RedisStore
) -> None:
    signer = Signer(tmp_path)
    async with gateway(redis_url, signer, drain_seconds=0.2) as stays:
        async with gateway(redis_url, signer, drain_seconds=0.2) as goes:
            await play(redis_url, stays, goes, ("alice", "bob"))
            sums = await until("both serve", stays, goes, game_matches_total=1, game_matchmaking_success_total=2, game_exporter=1)
            assert sums["game_queue_waiting_seconds_count"] == 2
            assert sums["game_websocket_opened_total"] == 2, "each gateway counts its own sockets"
        await play(redis_url, stays, stays, ("carol", "dave"))
        sums = await until("one is gone", stays, game_matches_total=2, game_matchmaking_success_total=4, game_exporter=1)
    counts = [reading.counts for reading in await store.readings("duel", [("local", "ranked"), ("local", "casual")])]
    assert sum(each.get("matched", 0) for each in counts) == 2
    assert sums["game_rounds_total"] == sum(each.get("rounds", 0) for each in counts) > 0
    assert sums["game_proposals_total"] == 2
    assert sums["game_round_seconds_count"] > 0
    assert sums["game_matcher_redis_seconds_count"] > 0


async def test_a_gateway_that_loses_the_lease_exports_nothing_shared(redis_url: str, tmp_path: Path, store: RedisStore) -> None:
    async with gateway(redis_url, Signer(tmp_path)) as served:
        await until("it begins", served, game_exporter=1, game_redis_up=1)
        await store._client.set("exporter", "gw-other", px=60_000)
        async with asyncio.timeout(20):
            while (sums := await scrape(served))["game_exporter"]:
                await asyncio.sleep(0.02)
        assert "game_queue_length" not in sums
        assert sums["game_redis_up"] == 1
