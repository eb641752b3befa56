"""The gateway's subscription on a real Redis that drops it."""

import asyncio

import pytest

from matchmaking.store import bus as bus_module
from matchmaking.store.bus import Bus
from matchmaking.store.redis_store import RedisStore
from support.redis_server import RedisServer


async def test_a_subscription_that_was_dropped_is_made_anew_and_resyncs_without_waiting_for_a_canary(
    redis_server: RedisServer, redis_url: str, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "CANARY_EVERY", 3600.0)
    resynced, heard = asyncio.Event(), asyncio.Queue[bytes]()
    async with Bus(redis_url, store, "gw-1", lambda _, data: heard.put_nowait(data), resynced.set, lambda _: None) as bus:
        with redis_server.client() as client:
            while not client.pubsub_channels():
                await asyncio.sleep(0.01)
        await bus.subscribe("alice")
        assert not resynced.is_set()
        for _ in range(3):
            with redis_server.client() as client:
                assert client.client_kill_filter(_type="pubsub") == 1
            await asyncio.wait_for(resynced.wait(), 10)
            resynced.clear()
        with redis_server.client() as client:  # the players' channels are heard again as well
            assert client.publish("player:alice:updates", b"x") == 1
        assert await asyncio.wait_for(heard.get(), 10) == b"x"


async def test_a_crowd_is_subscribed_to_by_few_commands_even_while_the_gateways_own_subscription_is_under_way(
    redis_server: RedisServer, redis_url: str, store: RedisStore
) -> None:
    with redis_server.client() as client:
        client.config_resetstat()
        heard = asyncio.Queue[str]()
        async with Bus(redis_url, store, "gw-1", lambda channel, _: heard.put_nowait(channel), lambda: None, lambda _: None) as bus:
            players = [f"player-{i}" for i in range(500)]
            await asyncio.gather(*(bus.subscribe(player) for player in players))
            assert client.info("commandstats")["cmdstat_subscribe"]["calls"] < 20
            for player in players:
                assert client.publish(f"player:{player}:updates", b"x") == 1
            assert {await asyncio.wait_for(heard.get(), 10) for _ in players} == {f"player:{player}:updates" for player in players}


async def test_who_comes_back_in_the_same_moment_is_heard(redis_server: RedisServer, redis_url: str, store: RedisStore) -> None:
    heard = asyncio.Queue[bytes]()
    async with Bus(redis_url, store, "gw-1", lambda _, data: heard.put_nowait(data), lambda: None, lambda _: None) as bus:
        for i in range(50):
            await bus.subscribe("alice")
            bus.unsubscribe("alice")
            await bus.subscribe("alice")
            with redis_server.client() as client:
                assert client.publish("player:alice:updates", str(i).encode()) == 1
            assert await asyncio.wait_for(heard.get(), 10) == str(i).encode()
            bus.unsubscribe("alice")
