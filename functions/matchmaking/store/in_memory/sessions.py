"""Sessions, profiles and timers."""

import math
from collections.abc import Sequence

import msgspec

from matchmaking.core.session import Session
from matchmaking.core.session_effects import Effect, Rate
from matchmaking.protocol.events import SESSION_UPDATE, StoredEvent
from matchmaking.store import keys, session_values
from matchmaking.store.interface import OUTBOX_CAP
from matchmaking.store.session_interface import FORGIVE_MS, HISTORY, RECENT
from matchmaking.store.values import Place

from .state import MemoryPart, SessionState


class MemorySessions(MemoryPart):
    """See `session_interface.SessionStore`."""

    def _session(self, match: str) -> SessionState:
        keys.session(match)
        state = self._sessions.get(match)
        if state is None or (state.session is not None and state.until <= self._now()):
            state = self._sessions[match] = SessionState()
        return state

    async def session_read(self, match: str) -> session_values.SessionRead:
        """See `session_read.lua`."""
        of = self._session(match)
        return session_values.SessionRead(self._now() / 1000, of.revision, of.session, of.version, of.data, len(of.effects))

    async def session_write(self, session: Session, revision: int, effects: Sequence[Effect], keep: float, timestamp: str) -> int | None:
        """See `session_write.lua`."""
        of = self._session(session.id)
        if of.revision != revision:
            return None
        if of.session is None or of.session.status != session.status:
            self.published.append((keys.match_channel(session.id), SESSION_UPDATE, session.status.encode()))
        of.revision, of.session, of.until = revision + 1, session, self._now() + int(keep * 1000)
        for effect in effects:
            of.number += 1
            of.effects[of.number] = effect
        return of.number

    async def sessions_open(self, seeds: Sequence[tuple[Session, bytes, str]], keep: float) -> None:
        """One after the other."""
        for session, _, timestamp in seeds:
            await self.session_write(session, 0, (), keep, timestamp)

    async def session_effects(self, match: str) -> list[session_values.PendingEffect]:
        """In order."""
        return [session_values.PendingEffect(number, effect) for number, effect in self._session(match).effects.items()]

    async def session_settle(self, match: str, numbers: Sequence[int]) -> None:
        """Forget them."""
        for number in numbers:
            self._session(match).effects.pop(number, None)

    async def session_data(self, match: str) -> session_values.ServerState:
        """What was written last."""
        of = self._session(match)
        return session_values.ServerState(of.version, of.data, of.mark)

    async def session_state(
        self, match: str, data: bytes, version: int | None, timestamp: str, mark: str = ""
    ) -> session_values.StateWritten:
        """See `session_state.lua`."""
        of = self._session(match)
        if of.session is None:
            return session_values.StateWritten("unknown")
        if of.session.status != "active" or not of.session.holds:
            return session_values.StateWritten("not_active", of.version)
        if (version is not None and version != of.version) or (mark and mark != of.mark):
            return session_values.StateWritten("conflict", of.version)
        of.version, of.data, of.mark = of.version + 1, data, f"{match}-{of.version + 1}"
        for player in of.session.players:
            self.published.append((keys.updates_channel(player), SESSION_UPDATE, data))
        return session_values.StateWritten("written", of.version, of.mark)

    async def session_deliver(
        self,
        player: str,
        event: str,
        match: str,
        ticket: str,
        type_: str,
        data: bytes,
        timestamp: str,
        then: str = "",
        requeue: session_values.Requeue | None = None,
    ) -> int:
        """See `session_deliver.lua`."""
        of = self._player(player)
        if event in of.seen:
            return 0
        if of.held is not None and of.held.ticket == ticket:
            return -1
        of.seen.add(event)
        of.seq += 1
        of.outbox = [*of.outbox, StoredEvent(of.seq, type_, data, timestamp)][-OUTBOX_CAP:]
        named = msgspec.json.decode(data)
        what, reason = str(named.get("state", {}).get("status", "cancelled")), str(named.get("reason", match))
        of.history.append(session_values.Noted(self._now() / 1000, ticket, what, reason))
        if requeue is not None:
            of.history.append(session_values.Noted(self._now() / 1000, requeue.ticket, "requeued", ticket))
        if then == "hold":
            if of.held is None and not of.session:
                of.session = match
        elif then and of.session == match:
            of.session = ""
            if requeue is not None and of.held is None:
                of.held, of.op, of.leader = Place(requeue.ticket, requeue.pool, requeue.region, requeue.mode), "", requeue.leader
        self.published.append((keys.updates_channel(player), type_, data))
        return of.seq

    async def session_of(self, player: str) -> str | None:
        """The match that holds the player."""
        return self._player(player).session or None

    async def ticket_state(self, player: str) -> session_values.TicketState:
        """As it stands."""
        of = self._player(player)
        return session_values.TicketState(of.held, of.session, tuple(of.history))

    async def session_release(self, player: str, match: str) -> bool:
        """See `session_release.lua`."""
        of = self._player(player)
        if of.session != match:
            return False
        of.session = ""
        return True

    async def timer_set(self, match: str, seconds: float) -> int:
        """See `timer_set.lua`."""
        due = self._now() + int(seconds * 1000)
        self._timers[match] = min(due, self._timers.get(match, due + 1) - 1)
        return self._timers[match]

    async def timer_take(self, shard: str, ahead: float, limit: int) -> list[session_values.Timer]:
        """See `timer_take.lua`."""
        now = self._now()
        due = [match for match, at in sorted(self._timers.items(), key=lambda item: item[1]) if at <= now and keys.timers(match) == shard]
        for match in due[:limit]:
            self._timers[match] = now + int(ahead * 1000)
        return [session_values.Timer(match, self._timers[match]) for match in due[:limit]]

    async def timer_finish(self, match: str, token: int, due: float | None) -> bool:
        """See `timer_finish.lua`."""
        held, at = self._timers.get(match), None if due is None else int(due * 1000) + 1
        if held == token:
            if at is None:
                del self._timers[match]
            else:
                self._timers[match] = at
            return True
        if at is not None:
            self._timers[match] = at if held is None else min(at, held - 1)
        return False

    async def penalise(self, player: str, event: str, pool: str, ladder: Sequence[float]) -> float:
        """See `penalise.lua`."""
        of, now, rungs = self._player(player), self._now(), [int(step * 1000) for step in ladder] or [0]
        steps, since, ends = of.cooldowns.get(pool, (0, 0, 0))
        if event not in of.seen:
            steps = max(0, steps - (now - since) // FORGIVE_MS)
            ends = max(ends, now + rungs[min(steps, len(rungs) - 1)])
            of.cooldowns[pool] = (steps + 1, now, ends)
            of.counts["declined"] = of.counts.get("declined", 0) + 1
            of.seen.add(event)
        return max(0, ends - now) / 1000

    async def rate(self, player: str, event: str, field: str, rate: Rate) -> bool:
        """See `rate.lua`."""
        of = self._player(player)
        if event in of.seen:
            return False
        of.seen.add(event)
        held = of.ratings.get(field, rate.before)
        pairs = list(zip(held, rate.before, rate.after, strict=True))
        mu = rate.after[0] if held[0] == rate.before[0] else held[0] + rate.after[0] - rate.before[0]
        sigma, volatility = (after if math.isclose(own, before) else own * after / before for own, before, after in pairs[1:])
        of.ratings[field] = (mu, sigma, volatility)
        of.recent = tuple(dict.fromkeys((*rate.opponents, *of.recent)))[:RECENT]
        for name in ("matches", rate.outcome):
            of.counts[name] = of.counts.get(name, 0) + 1
        of.matches = [rate.record.encode(), *of.matches][:HISTORY]
        return True

    async def profile(self, player: str) -> session_values.Profile:
        """A player's numbers."""
        of = self._player(player)
        return session_values.Profile(player, dict(of.ratings), of.recent, dict(of.counts))

    async def put_profile(self, profile: session_values.Profile) -> None:
        """Fields that the profile does not speak of stay."""
        of = self._player(profile.player)
        of.ratings |= profile.ratings
        of.recent = profile.recent
        of.counts |= profile.counts

    async def players(self) -> list[str]:
        """Whoever has numbers."""
        return sorted(player for player, of in self._players.items() if of.ratings or of.recent or of.counts)

    async def counters(self, pool: str, region: str, mode: str) -> dict[str, int]:
        """A queue's counts."""
        return dict(self._queue(pool, region, mode).counts)

    async def history(self, player: str) -> list[bytes]:
        """Newest first."""
        return list(self._player(player).matches)
