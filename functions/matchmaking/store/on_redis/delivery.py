"""Players' outboxes, the relay that fills them, and publications."""

from collections.abc import Sequence
from typing import Any

import msgspec

from matchmaking.store import keys, values
from matchmaking.store.interface import MARK_MS, OUTBOX_CAP

from .base import RedisPart, pool_keys, stored_events

_encoder = msgspec.json.Encoder()
_entry_decoder = msgspec.json.Decoder(values.RelayEntry)


class RedisDelivery(RedisPart):
    """See `interface.DeliveryStore`."""

    async def deliver(self, player: str, ticket: str, entry: values.RelayEntry) -> int:
        """See `deliver.lua`."""
        names, arguments = _delivery(player, ticket, entry)
        return int((await self._calls.call("deliver", names, *arguments))[2])

    async def deliver_all(self, ends: Sequence[tuple[str, str, values.RelayEntry]]) -> list[int]:
        """One script for each player: each has a slot of its own."""
        return [int(reply[2]) for reply in await self._calls.call_all("deliver", (_delivery(*end) for end in ends))]

    async def settle(self, pool: str, pendings: Sequence[values.PendingEntry]) -> None:
        """See `settle.lua`."""
        tickets = dict.fromkeys(
            ticket for pending in pendings for ticket in (*pending.entry.players.values(), pending.entry.filled) if ticket
        )
        marks = [keys.ended(pool, ticket) for ticket in tickets]
        await self._calls.call("settle", [pool_keys(pool).outbox, *marks], MARK_MS, *(pending.id for pending in pendings))

    async def left_behind(self, pool: str, idle: float, limit: int) -> list[values.PendingEntry]:
        """XAUTOCLAIM: of several sweepers each entry goes to one, which then has `idle` seconds for it."""
        outbox = pool_keys(pool).outbox
        if not await self._plain(self._client.exists(outbox)):
            return []
        reply = await self._plain(
            self._client.xautoclaim(outbox, keys.RELAY_GROUP, keys.RELAY_GROUP, min_idle_time=int(idle * 1000), count=limit)
        )
        return [
            values.PendingEntry(entry.decode(), _entry_decoder.decode(fields[b"e"])) for entry, fields in reply[1] if fields is not None
        ]

    async def outbox(self, player: str, after: int) -> values.Outbox:
        """See `outbox.lua`."""
        reply = await self._calls.call("outbox", [keys.connection(player), keys.player_outbox(player)], player, after)
        return values.Outbox(int(reply[2]), int(reply[3]), stored_events(reply[4]))

    async def trim(self, player: str, seq: int) -> None:
        """Only what is older than the number that follows goes; the count of events lives elsewhere."""
        await self._calls.command("XTRIM", keys.player_outbox(player), "MINID", f"{seq + 1}-0")

    async def publish(self, channel: str, type_: str, data: bytes, timestamp: str) -> None:
        """In the contract's envelope."""
        envelope = {"channel": channel, "message": {"type": type_, "data": msgspec.Raw(data), "timestamp": timestamp}}
        await self._calls.command("PUBLISH", channel, _encoder.encode(envelope))


def _delivery(player: str, ticket: str, entry: values.RelayEntry) -> tuple[list[str], list[Any]]:
    """KEYS and ARGV of `deliver.lua`."""
    names = [keys.connection(player), keys.ticket(player), keys.player_outbox(player)]
    held = "1" if entry.holds else ""
    channel = keys.updates_channel(player)
    return names, [player, ticket, entry.type, bytes(entry.data), entry.timestamp, channel, OUTBOX_CAP, entry.match, held]
