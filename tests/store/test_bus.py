"""The gateway's subscription on a real Redis that drops it."""

import asyncio
import itertools
import logging

import pytest

from matchmaking.store import bus as bus_module
from matchmaking.store.bus import Bus
from matchmaking.store.connect import open_store
from matchmaking.store.errors import StoreError
from matchmaking.store.redis_store import RedisStore
from support.redis_server import RedisServer, free_port


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


async def test_a_redis_that_is_replaced_while_players_come_and_go_is_heard_again(
    redis_server: RedisServer, redis_url: str, store: RedisStore
) -> None:
    resynced = asyncio.Event()
    async with Bus(redis_url, store, "gw-1", lambda *_: None, resynced.set, lambda _: None) as bus:

        async def comes_and_goes(player: str) -> None:
            for stay in itertools.cycle((0.01, 0.03, 0.05)):
                try:
                    await bus.subscribe(player)
                except StoreError:
                    await asyncio.sleep(stay)
                    continue
                await asyncio.sleep(stay)
                bus.unsubscribe(player)

        async with asyncio.TaskGroup() as group:
            players = [group.create_task(comes_and_goes(f"player-{i}")) for i in range(30)]
            for pause in (0.1, 0.5, 0.9):
                await asyncio.sleep(0.3)
                redis_server.kill()
                resynced.clear()
                await asyncio.sleep(pause)
                await asyncio.to_thread(redis_server.start)
                await asyncio.wait_for(resynced.wait(), 20)
                async with asyncio.timeout(20):
                    while not bus.healthy:
                        await asyncio.sleep(0.05)
            for player in players:
                player.cancel()


async def test_a_fault_in_what_is_done_with_a_message_costs_a_subscription_not_the_bus(
    redis_server: RedisServer, redis_url: str, store: RedisStore, caplog: pytest.LogCaptureFixture
) -> None:
    heard, resynced = asyncio.Queue[bytes](), asyncio.Event()

    def on_message(_: str, data: bytes) -> None:
        if data == b"poison":
            raise ZeroDivisionError
        heard.put_nowait(data)

    async with Bus(redis_url, store, "gw-1", on_message, resynced.set, lambda _: None) as bus:
        await bus.subscribe("alice")
        with redis_server.client() as client:
            assert client.publish("player:alice:updates", b"poison") == 1
            await asyncio.wait_for(resynced.wait(), 10)
            while not client.publish("player:alice:updates", b"food"):
                await asyncio.sleep(0.05)
        assert await asyncio.wait_for(heard.get(), 10) == b"food"
    assert [record.levelno for record in caplog.records if record.name == bus_module.__name__] == [logging.ERROR]


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


async def test_a_clusters_publications_are_heard_by_way_of_any_node_that_lives(cluster_server: RedisServer) -> None:
    heard = asyncio.Queue[bytes]()
    url = f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{cluster_server.port}"
    async with (
        open_store(url) as store,
        Bus(url, store, "gw-1", lambda _, data: heard.put_nowait(data), lambda: None, lambda _: None) as bus,
    ):
        await bus.subscribe("alice")
        with cluster_server.client() as client:
            assert client.publish("player:alice:updates", b"x") == 1
        assert await asyncio.wait_for(heard.get(), 10) == b"x"
