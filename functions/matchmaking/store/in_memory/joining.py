"""Reservations, tickets in their queues, and how they end without a match."""

import secrets

from matchmaking.store import values
from matchmaking.store.interface import JUST_MATCHED, LATE_JOIN_MS, MARK_MS
from matchmaking.store.session_values import Noted

from .state import MemoryPart


class MemoryJoining(MemoryPart):
    """See `interface.JoiningStore`."""

    async def reserve(
        self, player: str, *, generation: int | None, op_id: str, ticket: str, pool: str, region: str, mode: str, leader: str
    ) -> values.Reservation:
        """See `reserve.lua`."""
        state = self._player(player)
        place = values.Place(ticket or f"{self._now():011x}{secrets.token_hex(6)}", pool, region, mode)
        if generation is not None and generation != state.generation:
            return values.Reservation("stale", values.Place("", "", "", ""))
        rating, sigma, _ = state.ratings.get(f"{pool}:{mode}", (None, None, None))
        profile = (rating, sigma, state.recent, state.preferences or b"")
        if state.held is not None:
            same = (op_id and state.op == op_id) or state.held.ticket == ticket
            return values.Reservation("reserved" if same else "taken", state.held, *profile)
        if op_id and op_id in state.done:
            return values.Reservation("done", state.done[op_id])
        if state.session:
            return values.Reservation("in_session", values.Place(state.session, "", "", ""))
        left = state.cooldowns.get(pool, (0, 0, 0))[2] - self._now()
        if left > 0:
            return values.Reservation("cooldown", values.Place(str(left), "", "", ""))
        state.held, state.op, state.leader = place, op_id, leader
        state.history.append(Noted(self._now() / 1000, place.ticket, "joined", f"{pool}/{region}/{mode}"))
        return values.Reservation("reserved", place, *profile)

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
            queue.count({"joined": 1})
            pool.alive[place.ticket] = self._now()
            self._log(queue, added=values.Waiter(place.ticket, since, record))
        mean = None if queue.mean_ms is None else queue.mean_ms / 1000
        since = queue.waiting[place.ticket]
        return values.Enqueued("waiting", queue.order().index(place.ticket) + 1, len(queue.waiting), since / 1000, mean)

    async def look(self, place: values.Place, player: str) -> values.Fate:
        """See `look.lua`."""
        waiting = self._queue(place.pool, place.region, place.mode).waiting
        if place.ticket in waiting:
            return values.Fate("waiting", str(waiting[place.ticket]))
        mark = self._mark(place.pool, place.ticket)
        if mark:
            return values.Fate("matched" if mark.startswith("m:") else "cancelled", mark[2:])
        self._pool(place.pool).ended[place.ticket] = ("c:lost", self._now() + MARK_MS)
        return values.Fate("cancelled", values.LOST)

    async def holding(self, player: str, generation: int) -> values.Holding:
        """See `holding.lua`."""
        state = self._player(player)
        if state.generation != generation:
            return values.Holding("stale")
        if state.held is None and self._now() - state.matched_ms < JUST_MATCHED * 1000:
            return values.Holding("matched", None, state.matched)
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
            return values.Cancellation("ended", values.LOST)
        return values.Cancellation("cancelled", self._end(place, f"c:{reason}", event))

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
