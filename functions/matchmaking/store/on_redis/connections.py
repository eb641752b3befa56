"""Players' connections, signs of life, and sign-in."""

from collections.abc import Sequence

from matchmaking.store import keys, values
from matchmaking.store.interface import PRESENCE_MS

from .base import RedisPart, pool_keys, queue_keys, seconds


class RedisConnections(RedisPart):
    """See `interface.ConnectionStore`."""

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
        return int((await self._calls.call("touch", [pool_keys(pool).alive], *tickets))[1])

    async def presence(self, players: Sequence[str]) -> int:
        """See `presence.lua`."""
        return int((await self._calls.call("presence", [keys.PRESENCE], PRESENCE_MS, *players))[1])

    async def absent(self, player: str) -> None:
        """Not connected any more; if it connected elsewhere meanwhile, the next sign of life puts it back."""
        await self._calls.command("ZREM", keys.PRESENCE, player)

    async def positions(self, pool: str, region: str, mode: str, tickets: Sequence[str]) -> values.Standings:
        """See `positions.lua`."""
        queue = queue_keys(pool, region, mode)
        reply = await self._calls.call("positions", [queue.waiting, queue.reasons, queue.statistics], *tickets)
        standings = tuple(values.Standing(reply[i], reply[i + 1]) for i in range(3, len(reply), 2))
        return values.Standings(reply[1], seconds(reply[2]), standings)

    async def put_sign_in_ticket(self, digest: str, player: str, seconds: int) -> None:
        """Gone by itself after `seconds`."""
        await self._calls.command("SET", keys.sign_in_ticket(digest), player, "EX", seconds)

    async def take_sign_in_ticket(self, digest: str) -> str | None:
        """GETDEL: it works once."""
        player: bytes | None = await self._calls.command("GETDEL", keys.sign_in_ticket(digest))
        return player.decode() if player else None
