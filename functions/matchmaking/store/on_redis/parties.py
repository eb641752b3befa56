"""Parties, and the players bound to them."""

from collections.abc import Mapping, Sequence
from typing import Any

from matchmaking.store import keys, values
from matchmaking.store import party_values as parties
from matchmaking.store.interface import INVITE_MS, LARGEST_PARTY, LATE_JOIN_MS, MARK_MS, OUTBOX_CAP, PARTY_LIFE

from .base import RedisPart, word


def _place(parts: list[bytes]) -> values.Place | None:
    return values.Place(*(part.decode() for part in parts)) if parts[0] else None


class RedisParties(RedisPart):
    """See `interface.PartyStore`."""

    async def party_bind(self, player: str, generation: int, op_id: str, party: str, random: str) -> parties.Binding:
        """See `party_bind.lua`."""
        reply = await self._calls.call(
            "party_bind", [keys.connection(player), keys.player_party(player)], player, generation, op_id, party, random
        )
        return parties.Binding(word(reply[2]), reply[3].decode(), reply[4].decode())

    async def party_admit(self, party: str, player: str, membership: str, secret: str, new_secret: str) -> parties.Admission:
        """See `party_admit.lua`."""
        reply = await self._calls.call(
            "party_admit",
            [keys.party(party), keys.party_gone(party, membership)],
            player,
            membership,
            secret,
            new_secret,
            INVITE_MS,
            LARGEST_PARTY,
            LATE_JOIN_MS,
            PARTY_LIFE,
        )
        return parties.Admission(word(reply[2]), _place(reply[3:7]))

    async def party_look(self, party: str, player: str, membership: str) -> parties.Membership:
        """See `party_look.lua`."""
        reply = await self._calls.call("party_look", [keys.party(party), keys.party_gone(party, membership)], player, membership, MARK_MS)
        return parties.Membership(word(reply[2]), reply[3].decode())

    async def party_holding(self, player: str, generation: int | None, op_id: str = "", *, anew: bool = False) -> parties.PartyHolding:
        """See `party_holding.lua`."""
        names = [keys.connection(player), keys.player_party(player), keys.ticket(player)]
        asked_by = "" if generation is None else generation
        reply = await self._calls.call("party_holding", names, player, asked_by, op_id, "1" if anew else "")
        return parties.PartyHolding(word(reply[2]), reply[3].decode(), reply[4].decode(), int(reply[5]), _place(reply[6:10]))

    async def party_read(self, party: str) -> parties.Party | None:
        """See `party_read.lua`."""
        reply = await self._calls.call("party_read", [keys.party(party)], PARTY_LIFE)
        flat = [part.decode() for part in reply[2]]
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        return _party(party, int(reply[1]), fields) if fields else None

    async def party_tell(self, player: str, membership: str, version: int, event: values.RelayEntry, ticket: str, without: bytes) -> int:
        """See `party_tell.lua`."""
        reply = await self._calls.call(
            "party_tell",
            [keys.connection(player), keys.player_outbox(player), keys.player_party(player), keys.ticket(player)],
            player,
            membership,
            version,
            event.type,
            bytes(event.data),
            event.timestamp,
            keys.updates_channel(player),
            OUTBOX_CAP,
            ticket,
            without,
        )
        return int(reply[2])

    async def party_part(self, player: str, membership: str, event: values.RelayEntry | None, op_id: str = "") -> int:
        """See `party_part.lua`."""
        reply = await self._calls.call(
            "party_part",
            [keys.connection(player), keys.player_outbox(player), keys.player_party(player)],
            player,
            membership,
            event.type if event else "",
            bytes(event.data) if event else "",
            event.timestamp if event else "",
            keys.updates_channel(player),
            OUTBOX_CAP,
            op_id,
        )
        return int(reply[2])

    async def party_remove(
        self, party: str, by: str, op_id: str, player: str, membership: str, reason: str, ended: str, new_secret: str
    ) -> parties.Removal:
        """See `party_remove.lua`."""
        reply = await self._calls.call(
            "party_remove",
            [keys.party(party), keys.party_gone(party, membership)],
            by,
            op_id,
            player,
            membership,
            reason,
            ended,
            MARK_MS,
            new_secret,
            INVITE_MS,
        )
        return parties.Removal(word(reply[2]), _place(reply[3:7]))

    async def party_lead(self, party: str, by: str, op_id: str, leader: str, new_secret: str) -> str:
        """See `party_lead.lua`."""
        reply = await self._calls.call("party_lead", [keys.party(party)], by, op_id, leader, new_secret, INVITE_MS)
        status: str = word(reply[2])
        return status

    async def party_queue(
        self, party: str, player: str, membership: str, op_id: str, queue: tuple[str, str, str], random: str
    ) -> parties.Queueing:
        """See `party_queue.lua`."""
        reply = await self._calls.call("party_queue", [keys.party(party)], player, membership, op_id, *queue, random)
        place = values.Place(*(part.decode() for part in reply[3:7]))
        return parties.Queueing(word(reply[2]), place, tuple(part.decode() for part in reply[7:]))

    async def party_requeue(self, party: str, old: str, place: values.Place, members: Sequence[str]) -> bool:
        """See `party_requeue.lua`."""
        words = [old, place.ticket, place.pool, place.region, place.mode, *members]
        return bool((await self._calls.call("party_requeue", [keys.party(party)], *words))[1])

    async def party_waits(self, party: str, ticket: str, since_ms: int) -> bool:
        """See `party_waits.lua`."""
        return bool((await self._calls.call("party_waits", [keys.party(party)], ticket, since_ms))[1])

    async def party_unqueue(self, party: str, ticket: str, reason: str) -> bool:
        """See `party_unqueue.lua`."""
        return bool((await self._calls.call("party_unqueue", [keys.party(party)], ticket, reason))[1])

    async def party_presence(self, party: str, connected: Mapping[str, bool]) -> bool:
        """See `party_presence.lua`."""
        words: list[Any] = []
        for player, is_connected in connected.items():
            words += [player, "1" if is_connected else ""]
        return bool((await self._calls.call("party_presence", [keys.party(party)], *words))[1])

    async def are_connected(self, players: "list[str]", silent: float) -> dict[str, bool]:
        """Those with a sign of life in the last `silent` seconds."""
        if not players:
            return {}
        since = await self._now_ms() - int(silent * 1000)
        seen = await self._calls.command("ZMSCORE", keys.PRESENCE, *players)
        return {player: score is not None and float(score) >= since for player, score in zip(players, seen, strict=True)}


def _party(party: str, now: int, fields: dict[str, str]) -> parties.Party:
    members = {name[2:]: membership for name, membership in fields.items() if name.startswith("m:")}
    return parties.Party(
        party,
        int(fields["version"]),
        fields["reason"],
        fields["leader"],
        fields["invite"],
        int(fields["until"]),
        dict(sorted(members.items(), key=lambda member: member[1])),
        {name[2:]: int(since) for name, since in fields.items() if name.startswith("a:")},
        values.Place(*(fields[name] for name in ("ticket", "pool", "region", "mode"))) if "ticket" in fields else None,
        int(fields["since"]) if "since" in fields else None,
        now,
    )
