"""Which parties the players of this gateway are in, and what a gateway does for them again and again.

Members are told of changes at once by whoever makes them. What that process could not do before it died is done here: versions are compared, tickets
that parties name are looked at, and members who are connected nowhere are noticed.
"""

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct

from matchmaking.protocol.messages import PartyUpdateData
from matchmaking.store import parties, party_news, party_queue
from matchmaking.store.party_values import Party

if TYPE_CHECKING:
    from .hub import Hub

SILENT = 25.0  # s without a sign of life after which a member counts as away: two and a half of PRESENCE_EVERY
GRACE = 30.0  # s that a member may be away from a queued party whose pool is not known here
CHUNK = 200  # parties at once


class Known(Struct, frozen=True):
    """A player's party as the player was last told."""

    party: str
    version: int


class PartyWatch:
    """Player → party, for the players connected here."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    def of(self, player: str) -> Known | None:
        """The player's party, as far as this gateway knows."""
        return self._known.get(player)

    def note(self, player: str, update: PartyUpdateData | None) -> None:
        """The player was told this."""
        if update is not None and any(member.player_id == player for member in update.members):
            before = self._known.get(player)
            version = max(update.version, before.version) if before and before.party == update.party_id else update.version
            self._known[player] = Known(update.party_id, version)
        else:
            self._known.pop(player, None)

    def parties(self, players: "dict[str, object]") -> dict[str, list[str]]:
        """Party → its members here; who is connected here no more is forgotten."""
        found: dict[str, list[str]] = defaultdict(list)
        for player in [player for player in self._known if player not in players]:
            del self._known[player]
        for player, known in self._known.items():
            found[known.party].append(player)
        return found


async def look_after_parties(hub: "Hub") -> None:
    """Once over the parties that have members here."""
    watched = list(hub.parties.parties(dict(hub.sessions)).items())
    for i in range(0, len(watched), CHUNK):
        chunk = watched[i : i + CHUNK]
        found = await asyncio.gather(*(hub.store.party_read(party_id) for party_id, _ in chunk))
        members = list({member for party in found if party for member in party.members})
        connected = await hub.store.are_connected(members, SILENT)
        connected.update((member, True) for member in members if member in hub.sessions)
        await asyncio.gather(*(_look_after(hub, party, here, connected) for party, (_, here) in zip(found, chunk, strict=True)))


async def _look_after(hub: "Hub", party: Party | None, here: list[str], connected: dict[str, bool]) -> None:
    if party is not None:
        party = await party_queue.look_after(hub.store, party, {member: connected[member] for member in party.members}, _grace(hub, party))
    for player in here:
        known = hub.parties.of(player)
        if known is None:
            continue
        if party is None or player not in party.members:
            holding = await hub.store.party_holding(player, None)
            if not holding.party or not await parties.check(hub.store, player, holding.party, holding.membership):
                hub.parties.note(player, None)
        elif known.version < party.version:
            await party_news.tell(hub.store, party, [player])


def _grace(hub: "Hub", party: Party) -> float:
    rules = hub.pools.get(party.place.pool) if party.place else None
    return float(rules.ticket.reconnect_grace) if rules else GRACE
