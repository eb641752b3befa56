"""Players' connections, signs of life, and sign-in."""

from collections.abc import Sequence

from matchmaking.store import keys, values
from matchmaking.store.interface import PRESENCE_MS

from .state import MemoryPart


class MemoryConnections(MemoryPart):
    """See `interface.ConnectionStore`."""

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
