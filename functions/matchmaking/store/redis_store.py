"""The store on Redis: one typed method for each script."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import msgspec
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from matchmaking.core.pool import PoolRules, decode_rules, encode_rules
from matchmaking.protocol.events import StoredEvent

from . import keys, values
from .calls import Calls, translate
from .interface import LATE_JOIN_MS, LOG_CAP, MARK_MS, MATCHER_MS, OUTBOX_CAP, PRESENCE_MS

_encoder = msgspec.json.Encoder()
_entry_decoder = msgspec.json.Decoder(values.RelayEntry)
_Pool = msgspec.json.Decoder(tuple[int, msgspec.Raw])
CONNECTIONS = 32  # for commands that are not coalesced; the client library would open one for each call under way, and fail at a hundred


class _QueueKeys(msgspec.Struct, frozen=True):
    waiting: str
    log: str
    reasons: str
    workers: str
    statistics: str


class _PoolKeys(msgspec.Struct, frozen=True):
    tickets: str
    alive: str
    outbox: str
    counters: str


@lru_cache(maxsize=4096)
def _queue(pool: str, region: str, mode: str) -> _QueueKeys:
    queue = (pool, region, mode)
    return _QueueKeys(keys.waiting(*queue), keys.log(*queue), keys.reasons(*queue), keys.workers(*queue), keys.statistics(*queue))


@lru_cache(maxsize=1024)
def _pool(pool: str) -> _PoolKeys:
    return _PoolKeys(keys.tickets(pool), keys.alive(pool), keys.outbox(pool), keys.counters(pool))


def _ending_keys(place: values.Place) -> list[str]:
    queue, pool = _queue(place.pool, place.region, place.mode), _pool(place.pool)
    return [queue.waiting, pool.tickets, queue.log, pool.alive, pool.counters, keys.ended(place.pool, place.ticket), pool.outbox]


def _seconds(ms: bytes) -> float | None:
    return float(ms) / 1000 if ms else None


def _word(reply: bytes) -> Any:
    """A script's status word; its scripts list the possible ones, as do the types in `values`."""
    return reply.decode()


class RedisStore:
    """`interface.Store` on one Redis primary, a Sentinel's primary, or a Redis Cluster."""

    def __init__(self, client: "Redis | RedisCluster") -> None:
        self._client = client
        self._calls = Calls(client)
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def close(self) -> None:
        """Finish the calls under way; the client belongs to who opened it."""
        await self._calls.close()

    async def _plain(self, command: Any) -> Any:
        try:
            async with self._slots:
                return await command
        except (RedisError, OSError) as error:
            raise translate(error) from error

    # --- joining and leaving -----------------------------------------------------------------------------------------

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
        _, _, status, *place, rating, sigma, recent = (part.decode() for part in reply)
        return values.Reservation(
            cast("Any", status),
            values.Place(*place),
            float(rating) if rating else None,
            float(sigma) if sigma else None,
            tuple(recent.split()),
        )

    async def release(self, player: str, ticket: str) -> bool:
        """See `release.lua`."""
        return bool((await self._calls.call("release", [keys.ticket(player)], player, ticket))[2])

    async def enqueue(self, place: values.Place, leader: str, record: bytes, enqueued_ms: int | None = None) -> values.Enqueued:
        """See `enqueue.lua`."""
        queue, pool = _queue(place.pool, place.region, place.mode), _pool(place.pool)
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
        return values.Enqueued(_word(reply[2]), reply[3], reply[4], float(reply[5] or 0) / 1000, _seconds(reply[6]))

    async def look(self, place: values.Place, player: str) -> values.Fate:
        """See `look.lua`."""
        waiting = _queue(place.pool, place.region, place.mode).waiting
        reply = await self._calls.call("look", [waiting, keys.ended(place.pool, place.ticket)], player, place.ticket, MARK_MS)
        return values.Fate(_word(reply[2]), reply[3].decode())

    async def holding(self, player: str, generation: int) -> values.Holding:
        """See `holding.lua`."""
        reply = await self._calls.call("holding", [keys.connection(player), keys.ticket(player)], player, generation)
        _, _, status, *place, leader = (part.decode() for part in reply)
        return values.Holding(cast("Any", status), values.Place(*place) if status == "held" else None, leader)

    async def record(self, place: values.Place) -> bytes | None:
        """A waiting ticket's packed record."""
        found: bytes | None = await self._calls.command("HGET", _pool(place.pool).tickets, place.ticket)
        return found

    async def cancel(self, place: values.Place, player: str, reason: str, event: values.RelayEntry) -> values.Cancellation:
        """See `cancel.lua`."""
        reply = await self._calls.call(
            "cancel", _ending_keys(place), player, place.ticket, place.region, place.mode, reason, _encoder.encode(event), LOG_CAP, MARK_MS
        )
        return values.Cancellation(_word(reply[2]), reply[3].decode())

    async def overdue(self, pool: str, region: str, mode: str, ttl: float, grace: float, limit: int) -> list[values.Waiter]:
        """Candidates only: `expire` decides. The queue's oldest tickets, and those that have not been touched for `grace`."""
        queue, tickets = _queue(pool, region, mode), _pool(pool).tickets
        now = await self._now_ms()
        waiting = [
            found.decode()
            for found in await self._plain(self._client.zrangebyscore(queue.waiting, "-inf", now - int(ttl * 1000), 0, limit))
        ]
        silent = await self._plain(self._client.zrangebyscore(_pool(pool).alive, "-inf", now - int(grace * 1000), 0, limit))
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

    async def _now_ms(self) -> int:
        if isinstance(self._client, RedisCluster):
            seconds, micros = await self._plain(self._client.time(target_nodes=RedisCluster.RANDOM))
        else:
            seconds, micros = await self._plain(self._client.time())
        return int(seconds) * 1000 + int(micros) // 1000

    async def expire(
        self, place: values.Place, leader: str, ttl: float, grace: float, if_expired: values.RelayEntry, if_gone: values.RelayEntry
    ) -> values.Expiry:
        """See `expire.lua`."""
        reply = await self._calls.call(
            "expire",
            _ending_keys(place),
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
        return values.Expiry(_word(reply[2]), reply[3].decode())

    # --- matching ----------------------------------------------------------------------------------------------------

    async def page(self, pool: str, region: str, mode: str, from_ms: int | None, size: int) -> values.Page:
        """See `page.lua`."""
        of = _pool(pool)
        start = "-inf" if from_ms is None else from_ms
        reply = await self._calls.call(
            "page", [_queue(pool, region, mode).waiting, of.tickets, of.counters], f"{region}:{mode}", start, size
        )
        found, records = reply[3], reply[4]
        waiters = tuple(values.Waiter(found[2 * i].decode(), int(found[2 * i + 1]), record) for i, record in enumerate(records))
        return values.Page(int(reply[1]), int(reply[2]) / 1000, waiters)

    async def follow(self, pool: str, after: Mapping[tuple[str, str], int], block: float) -> dict[tuple[str, str], list[values.Change]]:
        """XREAD on the queues' change logs; an entry's id is its number."""
        streams = {_queue(pool, *queue).log: f"{number}-0" for queue, number in after.items()}
        names = {_queue(pool, *queue).log.encode(): queue for queue in after}
        reply = await self._plain(
            self._client.xread(cast("Any", streams), count=10_000, block=max(1, int(block * 1000)) if block else None)
        )
        rows = reply.items() if isinstance(reply, dict) else reply
        return {names[name]: [_change(*entry) for entry in _flat(entries)] for name, entries in rows or ()}

    async def commit(
        self, pool: str, matcher: str, match: str, tickets: Sequence[values.CommitTicket], grace: float, event: values.RelayEntry
    ) -> values.Commitment:
        """See `commit.lua`."""
        queues: dict[tuple[str, str], list[values.CommitTicket]] = {}
        for ticket in tickets:
            queues.setdefault((ticket.region, ticket.mode), []).append(ticket)
        of, first = _pool(pool), _queue(pool, tickets[0].region, tickets[0].mode)
        names = [of.tickets, of.alive, of.counters, of.outbox, first.statistics]
        arguments: list[Any] = [matcher, match, _encoder.encode(event), int(grace * 1000), LOG_CAP, len(queues)]
        for (region, mode), members in queues.items():
            queue = _queue(pool, region, mode)
            names += [queue.waiting, queue.log]
            arguments += [region, mode, len(members)]
            for member in members:
                arguments += [member.id, member.enqueued_ms]
        names += [keys.ended(pool, member.id) for members in queues.values() for member in members]
        reply = await self._calls.call("commit", names, *arguments)
        status = _word(reply[2])
        if status == "committed":
            return values.Commitment(status, reply[3].decode())
        return values.Commitment(status, gone=tuple(part.decode() for part in reply[3:]))

    async def beat(self, pool: str, region: str, mode: str, matcher: str, *, leave: bool = False) -> values.Beat:
        """See `beat.lua`."""
        reply = await self._calls.call("beat", [_queue(pool, region, mode).workers], matcher, MATCHER_MS, "1" if leave else "")
        return values.Beat(reply[1], reply[2])

    async def explain(self, pool: str, region: str, mode: str, reasons: Mapping[str, bytes]) -> None:
        """Replaced as a whole; gone by itself if no matcher renews it."""
        name = _queue(pool, region, mode).reasons
        pipeline = self._client.pipeline(transaction=False)
        pipeline.delete(name)
        if reasons:
            pipeline.hset(name, mapping=cast("Any", reasons))
            pipeline.expire(name, 30)
        await self._plain(pipeline.execute())

    # --- delivery ----------------------------------------------------------------------------------------------------

    async def deliver(self, player: str, ticket: str, entry: values.RelayEntry) -> int:
        """See `deliver.lua`."""
        reply = await self._calls.call(
            "deliver",
            [keys.connection(player), keys.ticket(player), keys.player_outbox(player)],
            player,
            ticket,
            entry.type,
            bytes(entry.data),
            entry.timestamp,
            keys.updates_channel(player),
            OUTBOX_CAP,
            entry.match,
        )
        return int(reply[2])

    async def settle(self, pool: str, pending: values.PendingEntry) -> None:
        """See `settle.lua`."""
        marks = [keys.ended(pool, ticket) for ticket in dict.fromkeys(pending.entry.players.values())]
        await self._calls.call("settle", [_pool(pool).outbox, *marks], pending.id, MARK_MS)

    async def left_behind(self, pool: str, idle: float, limit: int) -> list[values.PendingEntry]:
        """XAUTOCLAIM: of several sweepers each entry goes to one, which then has `idle` seconds for it."""
        outbox = _pool(pool).outbox
        if not await self._plain(self._client.exists(outbox)):
            return []
        reply = await self._plain(
            self._client.xautoclaim(outbox, keys.RELAY_GROUP, keys.RELAY_GROUP, min_idle_time=int(idle * 1000), count=limit)
        )
        return [
            values.PendingEntry(entry.decode(), _entry_decoder.decode(fields[b"e"])) for entry, fields in reply[1] if fields is not None
        ]

    async def events_after(self, player: str, seq: int) -> list[StoredEvent]:
        """The outbox' stream ids are the numbers."""
        entries = await self._calls.command("XRANGE", keys.player_outbox(player), f"({seq}-0", "+")
        return [StoredEvent(int(entry.split(b"-")[0]), f[b"type"].decode(), f[b"data"], f[b"at"].decode()) for entry, f in entries]

    async def trim(self, player: str, seq: int) -> None:
        """Only what is older than the number that follows goes; the count of events lives elsewhere."""
        await self._calls.command("XTRIM", keys.player_outbox(player), "MINID", f"{seq + 1}-0")

    async def publish(self, channel: str, type_: str, data: bytes, timestamp: str) -> None:
        """In the contract's envelope."""
        envelope = {"channel": channel, "message": {"type": type_, "data": msgspec.Raw(data), "timestamp": timestamp}}
        await self._calls.command("PUBLISH", channel, _encoder.encode(envelope))

    # --- connections -------------------------------------------------------------------------------------------------

    async def take_over(self, player: str, gateway: str, *, resumes: bool) -> values.Takeover:
        """See `take_over.lua`."""
        reply = await self._calls.call(
            "take_over",
            [keys.connection(player), keys.ticket(player), keys.player_outbox(player)],
            player,
            gateway,
            "1" if resumes else "",
        )
        held = values.Place(*(part.decode() for part in reply[4:8])) if reply[4] else None
        return values.Takeover(reply[2], int(reply[3]), held, int(reply[8] or 0), reply[9])

    async def disconnect(self, player: str, generation: int) -> bool:
        """See `disconnect.lua`."""
        return bool((await self._calls.call("disconnect", [keys.connection(player)], player, generation))[2])

    async def touch(self, pool: str, tickets: Sequence[str]) -> int:
        """See `touch.lua`."""
        return int((await self._calls.call("touch", [_pool(pool).alive], *tickets))[1])

    async def presence(self, players: Sequence[str]) -> int:
        """See `presence.lua`."""
        return int((await self._calls.call("presence", [keys.PRESENCE], PRESENCE_MS, *players))[1])

    async def absent(self, player: str) -> None:
        """Not connected any more; if it connected elsewhere meanwhile, the next sign of life puts it back."""
        await self._calls.command("ZREM", keys.PRESENCE, player)

    async def positions(self, pool: str, region: str, mode: str, tickets: Sequence[str]) -> values.Standings:
        """See `positions.lua`."""
        queue = _queue(pool, region, mode)
        reply = await self._calls.call("positions", [queue.waiting, queue.reasons, queue.statistics], *tickets)
        standings = tuple(values.Standing(reply[i], reply[i + 1]) for i in range(3, len(reply), 2))
        return values.Standings(reply[1], _seconds(reply[2]), standings)

    async def put_sign_in_ticket(self, digest: str, player: str, seconds: int) -> None:
        """Gone by itself after `seconds`."""
        await self._calls.command("SET", keys.sign_in_ticket(digest), player, "EX", seconds)

    async def take_sign_in_ticket(self, digest: str) -> str | None:
        """GETDEL: it works once."""
        player: bytes | None = await self._calls.command("GETDEL", keys.sign_in_ticket(digest))
        return player.decode() if player else None

    # --- profiles, pools, numbers ------------------------------------------------------------------------------------

    async def preferences(self, player: str) -> bytes | None:
        """A field of the profile."""
        found: bytes | None = await self._calls.command("HGET", keys.profile(player), "preferences")
        return found

    async def put_preferences(self, player: str, data: bytes) -> None:
        """A field of the profile."""
        await self._calls.command("HSET", keys.profile(player), "preferences", data)

    async def put_pool(self, name: str, rules: PoolRules) -> int:
        """One writer (the operator, or `matchmaking dev`), so reading before writing is no race."""
        keys.waiting(name, "check", "check")  # raises on a name that must not get into a key
        compiled = encode_rules(rules)
        held = await self._plain(self._client.hget(keys.POOLS, name))
        revision, before = _Pool.decode(held) if held else (0, msgspec.Raw(b""))
        if bytes(before) == compiled:
            return revision
        await self._plain(self._client.hset(keys.POOLS, name, cast("Any", _encoder.encode((revision + 1, msgspec.Raw(compiled))))))
        return revision + 1

    async def pools(self) -> dict[str, tuple[int, PoolRules]]:
        """The operator's hash."""
        found = await self._plain(self._client.hgetall(keys.POOLS))
        decoded = {name.decode(): _Pool.decode(data) for name, data in found.items()}
        return {name: (revision, decode_rules(bytes(rules))) for name, (revision, rules) in decoded.items()}

    async def queue_lengths(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[int]:
        """ZCARDs, as KEDA reads them."""
        pipeline = self._client.pipeline(transaction=False)
        for region, mode in queues:
            pipeline.zcard(_queue(pool, region, mode).waiting)
        lengths: list[int] = await self._plain(pipeline.execute())
        return lengths

    async def queue_statistics(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[values.QueueStatistics]:
        """The rate is that of the last 60 s, taking the previous minute's matches as evenly spread."""
        now = await self._now_ms()
        minute, part = divmod(now / 60_000, 1)
        pipeline = self._client.pipeline(transaction=False)
        for region, mode in queues:
            queue = _queue(pool, region, mode)
            pipeline.zcard(queue.waiting)
            pipeline.zcount(queue.workers, now - MATCHER_MS, "+inf")
            pipeline.hmget(queue.statistics, ["matches", "tickets", "mean_wait_ms", f"minute:{minute:.0f}", f"minute:{minute - 1:.0f}"])
        replies = await self._plain(pipeline.execute())
        return [
            values.QueueStatistics(
                waiting, matchers, int(f[0] or 0), int(f[1] or 0), int(f[3] or 0) + int(f[4] or 0) * (1 - part), _seconds(f[2] or b"")
            )
            for waiting, matchers, f in zip(replies[::3], replies[1::3], replies[2::3], strict=True)
        ]

    async def connected(self) -> int:
        """Players with a recent sign of life."""
        now = await self._now_ms()
        return int(await self._plain(self._client.zcount(keys.PRESENCE, now - PRESENCE_MS, "+inf")))

    async def epoch(self) -> str:
        """Written once into an empty store: a store that lost everything gets a new one."""
        await self._plain(self._client.set(keys.STORE_EPOCH, secrets.token_hex(4), nx=True))
        found: bytes = await self._plain(self._client.get(keys.STORE_EPOCH))
        return found.decode()

    async def ping(self) -> None:
        """Raises if Redis does not answer."""
        await self._plain(self._client.ping())


def _flat(entries: Any) -> Any:
    """XREAD's entries, whichever shape the protocol version gives them: [(id, fields)] or [[(id, fields)]]."""
    return entries[0] if entries and isinstance(entries[0], list) and entries[0] and isinstance(entries[0][0], tuple | list) else entries


def _change(entry: bytes, fields: dict[bytes, bytes]) -> values.Change:
    number = int(entry.split(b"-")[0])
    if b"+" in fields:
        return values.Change(number, added=values.Waiter(fields[b"+"].decode(), int(fields[b"t"]), fields[b"r"]))
    return values.Change(number, removed=tuple(fields[b"-"].decode().split()), by=fields.get(b"by", b"").decode())
