"""Reservations, tickets in their queues, and how they end without a match."""

import secrets
from typing import Any, cast

import msgspec

from matchmaking.store import keys, values
from matchmaking.store.interface import JUST_MATCHED, LATE_JOIN_MS, LOG_CAP, MARK_MS

from .base import RedisPart, ending_keys, pool_keys, queue_keys, seconds, word

_encoder = msgspec.json.Encoder()


class RedisJoining(RedisPart):
    """See `interface.JoiningStore`."""

    async def reserve(
        self, player: str, *, generation: int | None, op_id: str, ticket: str, pool: str, region: str, mode: str, leader: str
    ) -> values.Reservation:
        """See `reserve.lua`."""
        reply = await self._calls.call(
            "reserve",
            [keys.connection(player), keys.ticket(player), keys.profile(player)],
            player,
            "" if generation is None else generation,
            op_id,
            ticket,
            secrets.token_hex(6),
            pool,
            region,
            mode,
            leader,
        )
        _, _, status, *place, rating, sigma, recent = (part.decode() for part in reply[:-1])
        return values.Reservation(
            cast("Any", status),
            values.Place(*place),
            float(rating) if rating else None,
            float(sigma) if sigma else None,
            tuple(recent.split()),
            reply[-1],
        )

    async def release(self, player: str, ticket: str) -> bool:
        """See `release.lua`."""
        return bool((await self._calls.call("release", [keys.ticket(player)], player, ticket))[2])

    async def enqueue(self, place: values.Place, leader: str, record: bytes, enqueued_ms: int | None = None) -> values.Enqueued:
        """See `enqueue.lua`."""
        queue, pool = queue_keys(place.pool, place.region, place.mode), pool_keys(place.pool)
        reply = await self._calls.call(
            "enqueue",
            [queue.waiting, pool.tickets, queue.log, pool.alive, pool.counters, keys.ended(place.pool, place.ticket), queue.statistics],
            leader,
            place.ticket,
            record,
            place.region,
            place.mode,
            "" if enqueued_ms is None else enqueued_ms,
            LOG_CAP,
            LATE_JOIN_MS,
        )
        return values.Enqueued(word(reply[2]), reply[3], reply[4], float(reply[5] or 0) / 1000, seconds(reply[6]))

    async def look(self, place: values.Place, player: str) -> values.Fate:
        """See `look.lua`."""
        waiting = queue_keys(place.pool, place.region, place.mode).waiting
        reply = await self._calls.call("look", [waiting, keys.ended(place.pool, place.ticket)], player, place.ticket, MARK_MS)
        return values.Fate(word(reply[2]), reply[3].decode())

    async def holding(self, player: str, generation: int) -> values.Holding:
        """See `holding.lua`."""
        reply = await self._calls.call("holding", [keys.connection(player), keys.ticket(player)], player, generation, JUST_MATCHED)
        _, _, status, *place, leader = (part.decode() for part in reply)
        return values.Holding(cast("Any", status), values.Place(*place) if status == "held" else None, leader)

    async def record(self, place: values.Place) -> bytes | None:
        """A waiting ticket's packed record."""
        found: bytes | None = await self._calls.command("HGET", pool_keys(place.pool).tickets, place.ticket)
        return found

    async def cancel(self, place: values.Place, player: str, reason: str, event: values.RelayEntry) -> values.Cancellation:
        """See `cancel.lua`."""
        reply = await self._calls.call(
            "cancel", ending_keys(place), player, place.ticket, place.region, place.mode, reason, _encoder.encode(event), LOG_CAP, MARK_MS
        )
        return values.Cancellation(word(reply[2]), reply[3].decode())

    async def overdue(self, pool: str, region: str, mode: str, ttl: float, grace: float, limit: int) -> list[values.Waiter]:
        """Candidates only: `expire` decides. The queue's oldest tickets, and those that have not been touched for `grace`."""
        queue, tickets = queue_keys(pool, region, mode), pool_keys(pool).tickets
        now = await self._now_ms()
        waiting = [
            found.decode()
            for found in await self._plain(self._client.zrangebyscore(queue.waiting, "-inf", now - int(ttl * 1000), 0, limit))
        ]
        silent = await self._plain(self._client.zrangebyscore(pool_keys(pool).alive, "-inf", now - int(grace * 1000), 0, limit))
        ids = list(dict.fromkeys([*waiting, *(found.decode() for found in silent)]))
        if not ids:
            return []
        scores = await self._plain(self._client.zmscore(queue.waiting, ids))
        records = await self._plain(self._client.hmget(tickets, ids))
        return [
            values.Waiter(ticket, int(score), record)
            for ticket, score, record in zip(ids, scores, records, strict=True)
            if score is not None  # silent tickets of other queues have no score here
        ]

    async def expire(
        self, place: values.Place, leader: str, ttl: float, grace: float, if_expired: values.RelayEntry, if_gone: values.RelayEntry
    ) -> values.Expiry:
        """See `expire.lua`."""
        reply = await self._calls.call(
            "expire",
            ending_keys(place),
            leader,
            place.ticket,
            place.region,
            place.mode,
            int(ttl * 1000),
            int(grace * 1000),
            _encoder.encode(if_expired),
            _encoder.encode(if_gone),
            LOG_CAP,
        )
        return values.Expiry(word(reply[2]), reply[3].decode())
