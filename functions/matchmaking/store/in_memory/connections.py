"""Players' connections, signs of life, and sign-in."""

import math
from collections.abc import Collection, Sequence

from matchmaking.protocol.events import StoredEvent
from matchmaking.store import keys, values
from matchmaking.store.interface import NEW, PRESENCE_MS

from .state import MemoryPart, PlayerState


class MemoryConnections(MemoryPart):
    """See `interface.ConnectionStore`."""

    async def take_over(self, player: str, gateway: str, arrival: values.Arrival = NEW) -> values.Takeover:
        """See `take_over.lua`."""
        state = self._player(player)
        access = await self.access(player, arrival.issued_ms)
        if access.status != "granted":
            return values.Takeover(access.status, access.detail)
        if arrival.renews is not None:
            if state.generation <= arrival.renews:
                state.generation = arrival.renews
            elif arrival.token and state.resume == arrival.token:
                state.generation -= 1
            else:
                return values.Takeover("stale")
        previous, state.gateway = state.gateway, gateway
        state.generation += 1
        missed = self._missed(state, arrival)
        proven = bool(arrival.offered) and arrival.offered in (state.resume, state.resume_before)
        if missed is not None or (proven and (state.epoch != arrival.epoch or arrival.seq is None)):
            state.resume_before = arrival.offered
        elif arrival.renews is None or state.resume != arrival.token:
            state.resume_before = state.resume if arrival.renews is not None and state.epoch != arrival.epoch else ""
        state.epoch, state.resume = arrival.epoch, arrival.token
        if arrival.renews is None and not proven:
            state.done.clear()
        if previous and (arrival.renews is None or previous != gateway):
            self.published.append((keys.gateway_channel(previous), "superseded", player.encode()))
        match_seq, match_data = state.match or (0, b"")
        return values.Takeover(
            "live", "", state.generation, state.seq, missed is not None, state.held, match_seq, match_data, tuple(missed or ())
        )

    def _missed(self, state: PlayerState, arrival: values.Arrival) -> list[StoredEvent] | None:
        known = arrival.offered and arrival.offered in (state.resume, state.resume_before) and arrival.epoch == state.epoch
        if not known or arrival.seq is None or arrival.seq > state.seq:
            return None
        missed = [event for event in state.outbox if event.seq > (arrival.seq or 0)]
        return missed if len(missed) == state.seq - arrival.seq else None

    async def sign_out(self, player: str) -> int:
        """See `shut_out.lua`."""
        self._player(player).signed_out = self._now()
        return self._shut_out(player, "signed_out")

    async def ban(self, player: str, seconds: float | None, reason: str) -> int:
        """See `shut_out.lua`."""
        state = self._player(player)
        state.banned_until, state.ban_reason = math.inf if seconds is None else self._now() + seconds * 1000, reason
        return self._shut_out(player, "banned")

    def _shut_out(self, player: str, how: str) -> int:
        state = self._player(player)
        state.generation += 1
        if state.gateway:
            self.published.append((keys.gateway_channel(state.gateway), how, player.encode()))
        state.gateway = state.resume = state.resume_before = ""
        return state.generation

    async def unban(self, player: str) -> bool:
        """A sign-out before stays true."""
        state = self._player(player)
        was, state.banned_until = state.banned_until is not None, None
        return was

    async def access(self, player: str, issued_ms: int) -> values.Access:
        """See `access.lua`."""
        state = self._player(player)
        if state.banned_until is not None and state.banned_until > self._now():
            return values.Access("banned", state.ban_reason)
        return values.Access("granted" if state.signed_out is None or issued_ms > state.signed_out else "signed_out")

    async def keep(self, players: Sequence[str]) -> None:
        """Nothing expires here."""

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

    async def gateway_lives(self, gateway: str) -> None:
        """See `presence.lua`."""
        self._gateways[gateway] = self._now()

    async def gateway_signs(self, gateways: Collection[str]) -> dict[str, float]:
        """What is known of them."""
        return {name: self._gateways[name] / 1000 for name in gateways if name in self._gateways}

    async def gateway_of(self, player: str) -> str:
        """As the player's state says."""
        return self._player(player).gateway

    async def absent(self, player: str) -> None:
        """Not connected any more."""
        self._presence.pop(player, None)

    async def positions(self, pool: str, region: str, mode: str, tickets: Sequence[str]) -> values.Standings:
        """See `positions.lua`."""
        queue = self._queue(pool, region, mode)
        order = {ticket: i + 1 for i, ticket in enumerate(queue.order())}
        standings = tuple(values.Standing(order.get(ticket, 0), queue.reasons.get(ticket, b"")) for ticket in tickets)
        return values.Standings(len(queue.waiting), None if queue.mean_ms is None else queue.mean_ms / 1000, standings)

    async def put_sign_in_ticket(self, digest: str, identity: bytes, seconds: int) -> None:
        """Gone by itself."""
        self._sign_in[digest] = (identity, self._now() + seconds * 1000)

    async def take_sign_in_ticket(self, digest: str) -> bytes | None:
        """It works once."""
        identity, until = self._sign_in.pop(digest, (None, 0))
        return identity if until > self._now() else None
