"""Merging servers' states with a memory of what was written last, on a real Redis: what others write meanwhile is never lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from matchmaking.core.session_events import Accept, Allocated, Attempt
from matchmaking.gateway import server_states
from matchmaking.gateway.errors import RefusedRequestError
from matchmaking.gateway.server_states import ServerStates
from matchmaking.store import keys
from matchmaking.store.connect import open_store
from matchmaking.store.interface import Store
from matchmaking.store.sessions import change
from support.arena import arena
from support.matches import matched

SERVED = {"allocation": {"type": "webhook", "url": "http://127.0.0.1:1"}}


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    """With a session `m1` that has a server."""
    async with open_store(redis_url) as opened:
        await matched(opened, "m1", arena(**SERVED), ["alice"], ["bob"])
        for event in (Accept("alice"), Accept("bob"), Attempt(), Allocated('{"address":"10.0.0.1","port":7777}')):
            assert (await change(opened, "m1", event)).answer == "ok"
        yield opened


async def merge(states: ServerStates, state: dict[str, Any], version: int | None = None) -> int:
    return await states.report("m1", state, replace=False, version=version)


async def kept(store: Store) -> Any:
    return msgspec.json.decode((await store.session_data("m1")).data)


async def test_two_gateways_merge_into_what_the_other_one_wrote(store: Store) -> None:
    one, other = ServerStates(store), ServerStates(store)
    assert [await merge(one, {"a": 1}), await merge(other, {"b": 1}), await merge(one, {"c": 1})] == [1, 2, 3]
    assert await other.report("m1", {"z": 0}, replace=True, version=None) == 4
    assert await merge(one, {"a": 2, "z": None, "empty": [], "huge": 2**60, "none": {}}) == 5
    assert await kept(store) == {"a": 2, "empty": [], "huge": 2**60, "none": {}}


async def test_reports_at_once_by_two_gateways_lose_nothing(store: Store) -> None:
    gateways = ServerStates(store), ServerStates(store)
    versions = await asyncio.gather(*(merge(gateways[n % 2], {f"k{n}": n}) for n in range(40)))
    assert sorted(versions) == list(range(1, 41))
    assert await kept(store) == {f"k{n}": n for n in range(40)}


async def test_a_version_that_comes_again_after_lost_writes_is_not_taken_for_what_we_remember(store: Store, redis_url: str) -> None:
    one = ServerStates(store)
    await merge(one, {"a": 1})
    async with Redis.from_url(redis_url) as redis:  # a failover loses that write, and another gateway writes the same version
        await redis.hset(keys.session("m1"), mapping={"version": "0", "data": "", "request": "older"})
    assert await merge(ServerStates(store), {"b": 1}) == 1
    assert await merge(one, {"c": 1}, version=1) == 2
    assert await kept(store) == {"b": 1, "c": 1}


async def test_another_version_is_named(store: Store) -> None:
    states = ServerStates(store)
    await merge(states, {"a": 1})
    for replace in (False, True):
        with pytest.raises(RefusedRequestError, match="version is 1, not 7"):
            await states.report("m1", {}, replace=replace, version=7)
    assert await merge(states, {"b": 1}, version=1) == 2


async def test_what_is_too_large_or_too_deep_changes_nothing(store: Store) -> None:
    states = ServerStates(store)
    await merge(states, {"a": "x" * 10_000})
    with pytest.raises(RefusedRequestError, match="at most 16384 bytes") as large:
        await merge(states, {"b": "x" * 10_000})
    assert large.value.code == "state_too_large"
    deep: Any = 1
    for _ in range(16):
        deep = {"a": deep}
    with pytest.raises(RefusedRequestError) as deeper:
        await merge(states, {"a": deep})
    assert deeper.value.code == "state_too_deep"
    assert await merge(states, {"b": 1}) == 2
    assert await kept(store) == {"a": "x" * 10_000, "b": 1}


async def test_what_is_remembered_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_states, "REMEMBERED", 2)
    states = ServerStates(store)
    for n in (2, 3):
        await matched(store, f"m{n}", arena(acceptance={}), [f"carol{n}"], [f"dave{n}"])
    for match in ("m1", "m2", "m3"):
        assert await states.report(match, {}, replace=True, version=None) == 1
    assert list(states._desks) == ["m2", "m3"]
    with pytest.raises(RefusedRequestError):
        await states.report("m9", {}, replace=True, version=None)
    assert list(states._desks) == ["m2", "m3"], "what does not exist leaves nothing"
