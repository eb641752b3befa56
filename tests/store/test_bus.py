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
