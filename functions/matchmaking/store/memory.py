"""The store's twin in memory: the same answers as Redis', for tests and for simulations that try every interleaving. Passes the same contract tests.

Each method runs without a pause, as a script does. Publications go to `published`, where tests can read them.
"""

import itertools
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from matchmaking.core.pool import PoolRules
from matchmaking.protocol.events import StoredEvent

from . import keys, values
from .interface import LATE_JOIN_MS, MARK_MS, MATCHER_MS, OUTBOX_CAP, PRESENCE_MS

Queue = tuple[str, str, str]


class _Queue(msgspec.Struct):
    waiting: dict[str, int] = msgspec.field(default_factory=dict)
    log: list[values.Change] = msgspec.field(default_factory=list)
    number: int = 0
    workers: dict[str, int] = msgspec.field(default_factory=dict)
    reasons: dict[str, bytes] = msgspec.field(default_factory=dict)
    matches: int = 0
    tickets: int = 0
    mean_ms: float | None = None
    minutes: dict[int, int] = msgspec.field(default_factory=dict)

    def order(self) -> list[str]:
        return sorted(self.waiting, key=lambda ticket: (self.waiting[ticket], ticket))


class _Pool(msgspec.Struct):
    tickets: dict[str, bytes] = msgspec.field(default_factory=dict)
    alive: dict[str, int] = msgspec.field(default_factory=dict)
    ended: dict[str, tuple[str, int | None]] = msgspec.field(default_factory=dict)
    outbox: dict[str, tuple[values.RelayEntry, int]] = msgspec.field(default_factory=dict)


class _Player(msgspec.Struct):
    generation: int = 0
    gateway: str = ""
    seq: int = 0
    held: values.Place | None = None
    op: str = ""
    leader: str = ""
    done: dict[str, values.Place] = msgspec.field(default_factory=dict)
    match: tuple[int, bytes] | None = None
    outbox: list[StoredEvent] = msgspec.field(default_factory=list)
    preferences: bytes | None = None


class MemoryStore:
    """`interface.Store` without Redis; `clock` tells seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._queues: dict[Queue, _Queue] = {}
        self._pools: dict[str, _Pool] = {}
        self._players: dict[str, _Player] = {}
        self._rules: dict[str, tuple[int, PoolRules]] = {}
        self._presence: dict[str, int] = {}
        self._sign_in: dict[str, tuple[str, int]] = {}
        self._epoch = secrets.token_hex(4)
        self._entries = itertools.count(1)
        self.published: list[tuple[str, str, bytes]] = []

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _queue(self, pool: str, region: str, mode: str) -> _Queue:
        keys.waiting(pool, region, mode)  # the same names are refused
        return self._queues.setdefault((pool, region, mode), _Queue())

    def _pool(self, pool: str) -> _Pool:
        return self._pools.setdefault(pool, _Pool())

    def _player(self, player: str) -> _Player:
        keys.connection(player)
        return self._players.setdefault(player, _Player())

    def _mark(self, pool: str, ticket: str) -> str | None:
        mark, until = self._pool(pool).ended.get(ticket, (None, None))
        return mark if until is None or until > self._now() else None

    # --- joining and leaving -----------------------------------------------------------------------------------------

    async def reserve(
        self, player: str, *, generation: int | None, op_id: str, ticket: str, pool: str, region: str, mode: str, leader: str
    ) -> values.Reservation:
        """See `reserve.lua`."""
        state = self._player(player)
        place = values.Place(ticket or f"{self._now():011x}{secrets.token_hex(6)}", pool, region, mode)
        if generation is not None and generation != state.generation:
            return values.Reservation("stale", values.Place("", "", "", ""))
        if state.held is not None:
            same = (op_id and state.op == op_id) or state.held.ticket == ticket
            return values.Reservation("reserved" if same else "taken", state.held)
        if op_id and op_id in state.done:
            return values.Reservation("done", state.done[op_id])
        state.held, state.op, state.leader = place, op_id, leader
        return values.Reservation("reserved", place)

    async def release(self, player: str, ticket: str) -> bool:
        """See `release.lua`."""
        state = self._player(player)
        if state.held is None or state.held.ticket != ticket:
            return False
        state.held = None
        return True

    async def enqueue(self, place: values.Place, leader: str, record: bytes, enqueued_ms: int | None = None) -> values.Enqueued:
        """See `enqueue.lua`."""
        queue, pool = self._queue(place.pool, place.region, place.mode), self._pool(place.pool)
        mark = self._mark(place.pool, place.ticket)
        if mark:
            return values.Enqueued("matched" if mark.startswith("m:") else "cancelled")
        if place.ticket not in queue.waiting:
            if self._now() - int(place.ticket[:11], 16) > LATE_JOIN_MS:
                return values.Enqueued("cancelled")
            since = self._now() if enqueued_ms is None else enqueued_ms
            queue.waiting[place.ticket] = since
            pool.tickets[place.ticket] = record
            pool.alive[place.ticket] = self._now()
            self._log(queue, added=values.Waiter(place.ticket, since, record))
        mean = None if queue.mean_ms is None else queue.mean_ms / 1000
        since = queue.waiting[place.ticket]
        return values.Enqueued("waiting", queue.order().index(place.ticket) + 1, len(queue.waiting), since / 1000, mean)

    def _log(self, queue: _Queue, added: values.Waiter | None = None, removed: Sequence[str] = (), by: str = "") -> None:
        queue.number += 1
        queue.log.append(values.Change(queue.number, added, tuple(removed), by))

    async def look(self, place: values.Place, player: str) -> values.Fate:
        """See `look.lua`."""
        waiting = self._queue(place.pool, place.region, place.mode).waiting
        if place.ticket in waiting:
            return values.Fate("waiting", str(waiting[place.ticket]))
        mark = self._mark(place.pool, place.ticket)
        if mark:
            return values.Fate("matched" if mark.startswith("m:") else "cancelled", mark[2:])
        self._pool(place.pool).ended[place.ticket] = ("c:lost", self._now() + MARK_MS)
        return values.Fate("cancelled", "lost")

    async def holding(self, player: str, generation: int) -> values.Holding:
        """See `holding.lua`."""
        state = self._player(player)
        if state.generation != generation:
            return values.Holding("stale")
        return values.Holding("held", state.held, state.leader) if state.held else values.Holding("none")

    async def record(self, place: values.Place) -> bytes | None:
        """A waiting ticket's packed record."""
        return self._pool(place.pool).tickets.get(place.ticket)

    async def cancel(self, place: values.Place, player: str, reason: str, event: values.RelayEntry) -> values.Cancellation:
        """See `cancel.lua`."""
        mark = self._mark(place.pool, place.ticket)
        if mark:
            return values.Cancellation("matched" if mark.startswith("m:") else "ended", mark[2:])
        if place.ticket not in self._queue(place.pool, place.region, place.mode).waiting:
            self._pool(place.pool).ended[place.ticket] = ("c:lost", self._now() + MARK_MS)
            return values.Cancellation("ended", "lost")
        return values.Cancellation("cancelled", self._end(place, f"c:{reason}", event))

    def _end(self, place: values.Place, mark: str, event: values.RelayEntry) -> str:
        queue, pool = self._queue(place.pool, place.region, place.mode), self._pool(place.pool)
        del queue.waiting[place.ticket]
        pool.tickets.pop(place.ticket, None)
        pool.alive.pop(place.ticket, None)
        pool.ended[place.ticket] = (mark, None)
        self._log(queue, removed=[place.ticket])
        return self._put(pool, event)

    def _put(self, pool: _Pool, event: values.RelayEntry) -> str:
        entry = f"{next(self._entries)}-0"
        pool.outbox[entry] = (event, self._now())
        return entry

    async def overdue(self, pool: str, region: str, mode: str, ttl: float, grace: float, limit: int) -> list[values.Waiter]:
        """Candidates only."""
        queue, of, now = self._queue(pool, region, mode), self._pool(pool), self._now()
        found = [t for t in queue.order() if now - queue.waiting[t] >= ttl * 1000 or now - of.alive.get(t, 0) >= grace * 1000]
        return [values.Waiter(ticket, queue.waiting[ticket], of.tickets.get(ticket)) for ticket in found[:limit]]

    async def expire(
        self, place: values.Place, leader: str, ttl: float, grace: float, if_expired: values.RelayEntry, if_gone: values.RelayEntry
    ) -> values.Expiry:
        """See `expire.lua`."""
        queue, now = self._queue(place.pool, place.region, place.mode), self._now()
        if place.ticket not in queue.waiting:
            return values.Expiry("gone")
        if now - queue.waiting[place.ticket] >= ttl * 1000:
            return values.Expiry("expired", self._end(place, "c:expired", if_expired))
        if now - self._pool(place.pool).alive.get(place.ticket, 0) >= grace * 1000:
            return values.Expiry("disconnected", self._end(place, "c:disconnected", if_gone))
        return values.Expiry("kept")

    # --- matching ----------------------------------------------------------------------------------------------------

    async def page(self, pool: str, region: str, mode: str, from_ms: int | None, size: int) -> values.Page:
        """See `page.lua`."""
        queue, records = self._queue(pool, region, mode), self._pool(pool).tickets
        found = [t for t in queue.order() if from_ms is None or queue.waiting[t] >= from_ms][:size]
        waiters = tuple(values.Waiter(ticket, queue.waiting[ticket], records.get(ticket)) for ticket in found)
        return values.Page(queue.number, self._now() / 1000, waiters)

    async def follow(self, pool: str, after: Mapping[tuple[str, str], int], block: float) -> dict[tuple[str, str], list[values.Change]]:
        """Never waits."""
        changes = {queue: [c for c in self._queue(pool, *queue).log if c.number > number] for queue, number in after.items()}
        return {queue: found for queue, found in changes.items() if found}

    async def commit(
        self, pool: str, matcher: str, match: str, tickets: Sequence[values.CommitTicket], grace: float, event: values.RelayEntry
    ) -> values.Commitment:
        """See `commit.lua`."""
        of, now = self._pool(pool), self._now()
        queues = {ticket.id: self._queue(pool, ticket.region, ticket.mode) for ticket in tickets}
        gone = tuple(ticket.id for ticket in tickets if queues[ticket.id].waiting.get(ticket.id) != ticket.enqueued_ms)
        if gone:
            again = len(gone) == len(tickets) and self._mark(pool, tickets[0].id) == f"m:{match}"
            return values.Commitment("committed") if again else values.Commitment("conflict", gone=gone)
        ghosts = tuple(ticket.id for ticket in tickets if now - of.alive.get(ticket.id, 0) >= grace * 1000)
        if ghosts:
            return values.Commitment("ghost", gone=ghosts)
        waits = [max(0, now - ticket.enqueued_ms) for ticket in tickets]
        for ticket in tickets:
            queue = queues[ticket.id]
            del queue.waiting[ticket.id]
            of.tickets.pop(ticket.id, None)
            of.alive.pop(ticket.id, None)
            of.ended[ticket.id] = (f"m:{match}", None)
            self._log(queue, removed=[ticket.id], by=matcher)
        first, mean = queues[tickets[0].id], sum(waits) / len(waits)
        first.mean_ms = mean if first.mean_ms is None else first.mean_ms * 0.9 + mean * 0.1
        first.matches += 1
        first.tickets += len(tickets)
        first.minutes[now // 60_000] = first.minutes.get(now // 60_000, 0) + 1
        return values.Commitment("committed", self._put(of, event))

    async def beat(self, pool: str, region: str, mode: str, matcher: str, *, leave: bool = False) -> values.Beat:
        """See `beat.lua`."""
        workers, now = self._queue(pool, region, mode).workers, self._now()
        if leave:
            workers.pop(matcher, None)
            return values.Beat(0, len(workers))
        for other in [name for name, seen in workers.items() if seen <= now - MATCHER_MS]:
            del workers[other]
        workers[matcher] = now
        return values.Beat(sorted(workers).index(matcher), len(workers))

    async def explain(self, pool: str, region: str, mode: str, reasons: Mapping[str, bytes]) -> None:
        """Replaced as a whole."""
        self._queue(pool, region, mode).reasons = dict(reasons)

    # --- delivery ----------------------------------------------------------------------------------------------------

    async def deliver(self, player: str, ticket: str, entry: values.RelayEntry) -> int:
        """See `deliver.lua`."""
        state = self._player(player)
        if state.held is None or state.held.ticket != ticket:
            return 0
        state.seq += 1
        state.outbox = [*state.outbox, StoredEvent(state.seq, entry.type, bytes(entry.data), entry.timestamp)][-OUTBOX_CAP:]
        if state.op:
            state.done[state.op] = state.held
        state.held = None
        if entry.match:
            state.match = (state.seq, bytes(entry.data))
        self.published.append((keys.updates_channel(player), entry.type, bytes(entry.data)))
        return state.seq

    async def settle(self, pool: str, pending: values.PendingEntry) -> None:
        """See `settle.lua`."""
        of = self._pool(pool)
        of.outbox.pop(pending.id, None)
        for ticket in pending.entry.players.values():
            if ticket in of.ended:
                of.ended[ticket] = (of.ended[ticket][0], self._now() + MARK_MS)

    async def left_behind(self, pool: str, idle: float, limit: int) -> list[values.PendingEntry]:
        """An entry once claimed is left alone for another `idle` seconds."""
        outbox, now = self._pool(pool).outbox, self._now()
        found = [name for name, (_, since) in outbox.items() if now - since >= idle * 1000][:limit]
        for name in found:
            outbox[name] = (outbox[name][0], now)
        return [values.PendingEntry(name, outbox[name][0]) for name in found]

    async def events_after(self, player: str, seq: int) -> list[StoredEvent]:
        """In order."""
        return [event for event in self._player(player).outbox if event.seq > seq]

    async def trim(self, player: str, seq: int) -> None:
        """Forget events up to a number."""
        state = self._player(player)
        state.outbox = [event for event in state.outbox if event.seq > seq]

    async def publish(self, channel: str, type_: str, data: bytes, timestamp: str) -> None:
        """To `published`."""
        self.published.append((channel, type_, data))

    # --- connections -------------------------------------------------------------------------------------------------

    async def take_over(self, player: str, gateway: str, *, resumes: bool) -> values.Takeover:
        """See `take_over.lua`."""
        state = self._player(player)
        previous, state.gateway = state.gateway, gateway
        state.generation += 1
        if not resumes:
            state.done.clear()
        if previous:
            self.published.append((keys.gateway_channel(previous), "superseded", player.encode()))
        match_seq, match_data = state.match or (0, b"")
        return values.Takeover(state.generation, state.seq, state.held, match_seq, match_data)

    async def disconnect(self, player: str, generation: int) -> bool:
        """See `disconnect.lua`."""
        state = self._player(player)
        if state.generation != generation:
            return False
        state.gateway = ""
        return True

    async def touch(self, pool: str, tickets: Sequence[str]) -> int:
        """See `touch.lua`."""
        alive = self._pool(pool).alive
        found = [ticket for ticket in tickets if ticket in alive]
        alive.update(dict.fromkeys(found, self._now()))
        return len(found)

    async def presence(self, players: Sequence[str]) -> int:
        """See `presence.lua`."""
        now = self._now()
        self._presence.update(dict.fromkeys(players, now))
        self._presence = {player: seen for player, seen in self._presence.items() if seen > now - PRESENCE_MS}
        return len(self._presence)

    async def absent(self, player: str) -> None:
        """Not connected any more."""
        self._presence.pop(player, None)

    async def positions(self, pool: str, region: str, mode: str, tickets: Sequence[str]) -> values.Standings:
        """See `positions.lua`."""
        queue = self._queue(pool, region, mode)
        order = {ticket: i + 1 for i, ticket in enumerate(queue.order())}
        standings = tuple(values.Standing(order.get(ticket, 0), queue.reasons.get(ticket, b"")) for ticket in tickets)
        return values.Standings(len(queue.waiting), None if queue.mean_ms is None else queue.mean_ms / 1000, standings)

    async def put_sign_in_ticket(self, digest: str, player: str, seconds: int) -> None:
        """Gone by itself."""
        self._sign_in[digest] = (player, self._now() + seconds * 1000)

    async def take_sign_in_ticket(self, digest: str) -> str | None:
        """It works once."""
        player, until = self._sign_in.pop(digest, (None, 0))
        return player if until > self._now() else None

    # --- profiles, pools, numbers ------------------------------------------------------------------------------------

    async def preferences(self, player: str) -> bytes | None:
        """The player's preferences."""
        return self._player(player).preferences

    async def put_preferences(self, player: str, data: bytes) -> None:
        """Replace them."""
        self._player(player).preferences = data

    async def put_pool(self, name: str, rules: PoolRules) -> int:
        """A new revision if anything changed."""
        keys.waiting(name, "check", "check")
        revision, before = self._rules.get(name, (0, None))
        if before != rules:
            revision += 1
            self._rules[name] = (revision, rules)
        return revision

    async def pools(self) -> dict[str, tuple[int, PoolRules]]:
        """Name → revision and rules."""
        return dict(self._rules)

    async def queue_lengths(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[int]:
        """Waiting tickets."""
        return [len(self._queue(pool, *queue).waiting) for queue in queues]

    async def queue_statistics(self, pool: str, queues: Sequence[tuple[str, str]]) -> list[values.QueueStatistics]:
        """Numbers of queues."""
        minute, part = divmod(self._now() / 60_000, 1)
        found = []
        for name in queues:
            queue = self._queue(pool, *name)
            workers = sum(seen >= self._now() - MATCHER_MS for seen in queue.workers.values())
            rate = queue.minutes.get(int(minute), 0) + queue.minutes.get(int(minute) - 1, 0) * (1 - part)
            mean = None if queue.mean_ms is None else queue.mean_ms / 1000
            found.append(values.QueueStatistics(len(queue.waiting), workers, queue.matches, queue.tickets, rate, mean))
        return found

    async def connected(self) -> int:
        """Players with a recent sign of life."""
        return sum(seen >= self._now() - PRESENCE_MS for seen in self._presence.values())

    async def epoch(self) -> str:
        """One life long."""
        return self._epoch

    async def ping(self) -> None:
        """Always answers."""
