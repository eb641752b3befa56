"""Players' connections, signs of life, and sign-in."""

import asyncio
from collections.abc import Collection, Sequence

from matchmaking.store import keys, values
from matchmaking.store.interface import CONNECTION_SECONDS, GATEWAY_MS, NEW, PRESENCE_MS, SIGN_OUT_SECONDS

from .base import RedisPart, pool_keys, queue_keys, seconds, stored_events, word


class RedisConnections(RedisPart):
    """See `interface.ConnectionStore`."""

    async def take_over(self, player: str, gateway: str, arrival: values.Arrival = NEW) -> values.Takeover:
        """See `take_over.lua`."""
        reply = await self._calls.call(
            "take_over",
            [keys.connection(player), keys.ticket(player), keys.player_outbox(player), keys.access(player)],
            player,
            gateway,
            arrival.epoch,
            arrival.token,
            arrival.offered,
            "" if arrival.seq is None else arrival.seq,
            arrival.issued_ms,
            "" if arrival.renews is None else arrival.renews,
        )
        _, _, status, detail, generation, seq, resumed, *place, match_seq, match_data, missed = reply
        held = values.Place(*(part.decode() for part in place)) if place[0] else None
        return values.Takeover(
            word(status),
            detail.decode(),
            generation,
            int(seq),
            bool(resumed),
            held,
            int(match_seq or 0),
            match_data,
            stored_events(missed),
        )

    async def sign_out(self, player: str) -> int:
        """See `shut_out.lua`."""
        return await self._shut_out(player, "signed_out", None, "")

    async def ban(self, player: str, seconds: float | None, reason: str) -> int:
        """See `shut_out.lua`."""
        return await self._shut_out(player, "banned", seconds, reason)

    async def _shut_out(self, player: str, how: str, seconds: float | None, reason: str) -> int:
        ban_ms = "" if seconds is None else int(seconds * 1000)
        reply = await self._calls.call(
            "shut_out", [keys.connection(player), keys.access(player)], player, how, ban_ms, reason, SIGN_OUT_SECONDS
        )
        return int(reply[2])

    async def unban(self, player: str) -> bool:
        """A sign-out before stays true."""
        removed: int = await self._calls.command("HDEL", keys.access(player), "banned_until", "ban_reason")
        if removed:
            await self._calls.command("EXPIRE", keys.access(player), SIGN_OUT_SECONDS)
        return removed > 0

    async def access(self, player: str, issued_ms: int) -> values.Access:
        """See `access.lua`."""
        reply = await self._calls.call("access", [keys.access(player)], player, issued_ms)
        return values.Access(word(reply[2]), reply[3].decode())

    async def keep(self, players: Sequence[str]) -> None:
        """Their time to live begins anew."""
        await asyncio.gather(*(self._calls.command("EXPIRE", keys.connection(player), CONNECTION_SECONDS) for player in players))

    async def disconnect(self, player: str, generation: int) -> bool:
        """See `disconnect.lua`."""
        return bool((await self._calls.call("disconnect", [keys.connection(player)], player, generation))[2])

    async def touch(self, pool: str, tickets: Sequence[str]) -> int:
        """See `touch.lua`."""
        return int((await self._calls.call("touch", [pool_keys(pool).alive], *tickets))[1])

    async def presence(self, players: Sequence[str]) -> int:
        """See `presence.lua`."""
        return int((await self._calls.call("presence", [keys.PRESENCE], PRESENCE_MS, *players))[1])

    async def gateway_lives(self, gateway: str) -> None:
        """See `presence.lua`."""
        await self._calls.call("presence", [keys.GATEWAYS], GATEWAY_MS, gateway)

    async def gateway_signs(self, gateways: Collection[str]) -> dict[str, float]:
        """ZMSCORE."""
        if not gateways:
            return {}
        found = await self._calls.command("ZMSCORE", keys.GATEWAYS, *gateways)
        return {name: float(score) / 1000 for name, score in zip(gateways, found, strict=True) if score is not None}

    async def gateway_of(self, player: str) -> str:
        """A field that `disconnect.lua` takes away."""
        found: bytes | None = await self._calls.command("HGET", keys.connection(player), "gateway")
        return found.decode() if found else ""

    async def absent(self, player: str) -> None:
        """Not connected any more; if it connected elsewhere meanwhile, the next sign of life puts it back."""
        await self._calls.command("ZREM", keys.PRESENCE, player)

    async def positions(self, pool: str, region: str, mode: str, tickets: Sequence[str]) -> values.Standings:
        """See `positions.lua`."""
        queue = queue_keys(pool, region, mode)
        reply = await self._calls.call("positions", [queue.waiting, queue.reasons, queue.statistics], *tickets)
        standings = tuple(values.Standing(reply[i], reply[i + 1]) for i in range(3, len(reply), 2))
        return values.Standings(reply[1], seconds(reply[2]), standings)

    async def put_sign_in_ticket(self, digest: str, identity: bytes, seconds: int) -> None:
        """Gone by itself after `seconds`."""
        await self._calls.command("SET", keys.sign_in_ticket(digest), identity, "EX", seconds)

    async def take_sign_in_ticket(self, digest: str) -> bytes | None:
        """GETDEL: it works once."""
        identity: bytes | None = await self._calls.command("GETDEL", keys.sign_in_ticket(digest))
        return identity
