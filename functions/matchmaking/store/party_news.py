"""How a party looks to its members, and how they are told of its versions."""

import asyncio
import secrets
import time
from collections.abc import Iterable

import msgspec

from matchmaking.protocol.events import PARTY_UPDATE, rfc3339
from matchmaking.protocol.to_client import PartyMember, PartyPlace, PartyUpdateData

from . import values
from .interface import Store
from .party_values import Party

ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"  # of invites: no letters that look alike
CODE = 10  # letters of a party's id, and as many of its secret: 49 bits each
_json = msgspec.json.Encoder()


def code() -> str:
    """A party's id, or an invite's secret."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE))


def split_invite(invite: str) -> tuple[str, str] | None:
    """Party and secret of an invite, however it was typed; None if it is none."""
    parts = invite.strip().lower().split("-")
    if len(parts) != 2 or not all(len(part) == CODE and set(part) <= set(ALPHABET) for part in parts):
        return None
    return parts[0], parts[1]


def update(party: Party, op_id: str = "", *, queued: bool = True) -> PartyUpdateData:
    """The party as its members see it."""
    place = None
    if queued and party.place is not None and party.since is not None:
        of = party.place
        place = PartyPlace(of.ticket, of.pool, of.region, of.mode, rfc3339(party.since / 1000))
    return PartyUpdateData(
        party.id,
        party.version,
        party.leader,
        [PartyMember(player, player not in party.away) for player in party.members],
        party.reason,
        party.invite,
        rfc3339(party.invite_until / 1000),
        place,
        op_id,
    )


def parted(party_id: str, reason: str, op_id: str = "") -> PartyUpdateData:
    """The party as somebody sees it who is out of it."""
    return PartyUpdateData(party_id, 0, "", [], "disbanded" if reason == "lost" else reason, op_id=op_id)


def event_of(data: PartyUpdateData) -> values.RelayEntry:
    """An update as an outbox keeps it."""
    return values.RelayEntry("", {}, PARTY_UPDATE, msgspec.Raw(_json.encode(data)), rfc3339(time.time()))


async def tell(store: Store, party: Party, players: Iterable[str] | None = None) -> None:
    """Tell members how their party stands (all of them, or these); nobody is told a version twice."""
    event, without = event_of(update(party)), _json.encode(update(party, queued=False))
    ticket = party.place.ticket if party.place is not None and party.since is not None else ""
    told = party.members if players is None else [player for player in players if player in party.members]
    await asyncio.gather(*(store.party_tell(player, party.members[player], party.version, event, ticket, without) for player in told))


async def publish(store: Store, party_id: str) -> Party | None:
    """Read a party and tell it to all its members."""
    party = await store.party_read(party_id)
    if party is not None:
        await tell(store, party)
    return party
