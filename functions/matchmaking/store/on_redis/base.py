"""What the parts of the store on Redis share: the client, coalesced calls, and each pool's and queue's key names, built once."""

import asyncio
from functools import lru_cache
from typing import Any

import msgspec
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from matchmaking.protocol.events import StoredEvent
from matchmaking.store import keys, values
from matchmaking.store.calls import CALL_TIMEOUT, Calls, OnCalls, translate

CONNECTIONS = 32  # for commands that are not coalesced; the client library would open one for each call under way, and fail at a hundred


class QueueKeys(msgspec.Struct, frozen=True):
    """A queue's keys."""

    waiting: str
    log: str
    reasons: str
    workers: str
    statistics: str
    windows: str


class PoolKeys(msgspec.Struct, frozen=True):
    """A pool's keys."""

    tickets: str
    alive: str
    outbox: str
    counters: str


@lru_cache(maxsize=4096)
def queue_keys(pool: str, region: str, mode: str) -> QueueKeys:
    """A queue's keys; its names are checked once."""
    queue = (pool, region, mode)
    return QueueKeys(
        keys.waiting(*queue), keys.log(*queue), keys.reasons(*queue), keys.workers(*queue), keys.statistics(*queue), keys.windows(*queue)
    )


@lru_cache(maxsize=1024)
def pool_keys(pool: str) -> PoolKeys:
    """A pool's keys."""
    return PoolKeys(keys.tickets(pool), keys.alive(pool), keys.outbox(pool), keys.counters(pool))


def ending_keys(place: values.Place) -> list[str]:
    """What `end_ticket` needs, in its order."""
    queue, pool = queue_keys(place.pool, place.region, place.mode), pool_keys(place.pool)
    return [
        queue.waiting,
        pool.tickets,
        queue.log,
        pool.alive,
        pool.counters,
        keys.ended(place.pool, place.ticket),
        pool.outbox,
        queue.statistics,
    ]


def seconds(ms: bytes) -> float | None:
    """A time in ms as scripts reply it; empty is None."""
    return float(ms) / 1000 if ms else None


def word(reply: bytes) -> Any:
    """A script's status word; its scripts list the possible ones, as do the types in `values`."""
    return reply.decode()


def stored_events(entries: Any) -> tuple[StoredEvent, ...]:
    """Outbox entries as a script replies them; an entry's id is its number."""
    found = []
    for entry, (_, kind, _, data, _, at) in entries:
        found.append(StoredEvent(int(entry.split(b"-")[0]), kind.decode(), data, at.decode()))
    return tuple(found)


class RedisPart:
    """One Redis primary, a Sentinel's primary, or a Redis Cluster."""

    def __init__(self, client: "Redis | RedisCluster") -> None:
        self._client = client
        self._calls = Calls(client)
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._epoch = ""
        self._offsets: dict[str, int] = {}

    def observe(self, on_calls: OnCalls) -> None:
        """From now on tell `on_calls` of every pipeline of scripts."""
        self._calls.on_calls = on_calls

    def note_calls(self) -> None:
        """From now on note what is called in the course of traced work; to be said before the first call."""
        from matchmaking.store.noted_calls import NotedCalls

        self._calls = NotedCalls(self._client)

    async def close(self) -> None:
        """Finish the calls under way; the client belongs to who opened it."""
        await self._calls.close()

    async def _plain(self, command: Any, within: float = 2 * CALL_TIMEOUT) -> Any:
        try:
            async with self._slots, asyncio.timeout(within):
                return await command
        except (RedisError, OSError) as error:
            raise translate(error) from error

    async def _now_ms(self) -> int:
        if isinstance(self._client, RedisCluster):
            seconds, micros = await self._plain(self._client.time(target_nodes=RedisCluster.RANDOM))
        else:
            seconds, micros = await self._plain(self._client.time())
        return int(seconds) * 1000 + int(micros) // 1000
