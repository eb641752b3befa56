"""Parties: the order of the scripts, and what to do with each answer.

A player and a party may live on different shards, so being in a party is two facts: the player is **bound** to it (the player's slot: hence nobody is in
two), and the party has **admitted** the player (the party's slot: this is the truth). Any process may stop between two steps. A binding is never believed
by itself: who meets one asks the party, which leaves a mark if it does not know the membership, so that a late admission is refused; then the binding
is cleared.

A party queues under a ticket whose id is written into the party before anybody is reserved for it. While it stands there, nobody comes in, and nobody
goes before the ticket has been ended in its pool. So a ticket that waits holds exactly the party's members. A ticket that is named but ended, or never
came to wait, is cleared by whoever meets it, after a look into its pool.

Members are told by versions: every change counts the party's version up, a member is told the party whole, and a version that was told is not told again.
Whoever made the change tells at once; if it cannot, the gateways do, which compare versions every few seconds.
"""

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from matchmaking.protocol.events import PARTY_UPDATE, rfc3339
from matchmaking.protocol.to_client import PartyMember, PartyPlace, PartyUpdateData

from . import values
from .interface import Store
from .joining import ATTEMPTS, BuildRecord, Join, JoinOutcome, join, record_decoder, ticket_ended
from .party_values import Party, PartyHolding
from .relay import relay

CHANGED = "party_changed"  # why a ticket ends when a member leaves, is sent away, or is gone
ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"  # of invites: no letters that look alike
CODE = 10  # letters of a party's id, and as many of its secret: 49 bits each
UNSETTLED = 5.0  # s; a ticket that is named for less long may be about to be enqueued, and is left alone by those who only pass by
_json = msgspec.json.Encoder()

Status = Literal[
    "done",
    "stale",
    "busy",
    "not_in_party",
    "already_in_party",
    "unknown_invite",
    "party_full",
    "party_queued",
    "not_party_leader",
    "not_a_member",
]


class PartyOutcome(msgspec.Struct, frozen=True):
    """How a request about a party ended: `done` (the party as it is now, or its id alone if the player is out of it), or why not."""

    status: Status
    party: Party | None = None
    party_id: str = ""


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


def _event(data: PartyUpdateData) -> values.RelayEntry:
    return values.RelayEntry("", {}, PARTY_UPDATE, msgspec.Raw(_json.encode(data)), rfc3339(time.time()))


# --- telling -----------------------------------------------------------------------------------------------------------------------------------------


async def tell(store: Store, party: Party, players: Iterable[str] | None = None) -> None:
    """Tell members how their party stands (all of them, or these); nobody is told a version twice."""
    event, without = _event(update(party)), _json.encode(update(party, queued=False))
    ticket = party.place.ticket if party.place is not None and party.since is not None else ""
    told = party.members if players is None else [player for player in players if player in party.members]
    await asyncio.gather(*(store.party_tell(player, party.members[player], party.version, event, ticket, without) for player in told))


async def publish(store: Store, party_id: str) -> Party | None:
    """Read a party and tell it to all its members."""
    party = await store.party_read(party_id)
    if party is not None:
        await tell(store, party)
    return party


# --- coming ------------------------------------------------------------------------------------------------------------------------------------------


async def create(store: Store, player: str, generation: int, op_id: str) -> PartyOutcome:
    """Begin a party of one. May be repeated with the same `op_id`."""
    return await _enter(store, player, generation, op_id, None)


async def accept(store: Store, player: str, generation: int, op_id: str, invite: str) -> PartyOutcome:
    """Join the party of an invite. May be repeated with the same `op_id`."""
    parts = split_invite(invite)
    return await _enter(store, player, generation, op_id, parts) if parts else PartyOutcome("unknown_invite")


async def _enter(store: Store, player: str, generation: int, op_id: str, invite: tuple[str, str] | None) -> PartyOutcome:
    for _ in range(ATTEMPTS):
        binding = await store.party_bind(player, generation, op_id, invite[0] if invite else code(), secrets.token_hex(6))
        if binding.status == "stale":
            return PartyOutcome("stale")
        if binding.status == "done":
            return PartyOutcome("done", party_id=binding.party)
        if binding.status == "taken":
            if await check(store, player, binding.party, binding.membership):
                return PartyOutcome("already_in_party", party_id=binding.party)
            continue
        admission = await store.party_admit(binding.party, player, binding.membership, invite[1] if invite else "", code())
        if admission.status == "in":
            return PartyOutcome("done", await publish(store, binding.party), binding.party)
        if await check(store, player, binding.party, binding.membership):  # its twin on another gateway was luckier
            return PartyOutcome("done", await publish(store, binding.party), binding.party)
        match admission.status:
            case "unknown" | "invite":
                return PartyOutcome("unknown_invite")
            case "full":
                return PartyOutcome("party_full")
            case "queued":
                party = await settle(store, await store.party_read(binding.party))
                if party is not None and party.place is not None:
                    return PartyOutcome("party_queued")
    return PartyOutcome("busy")


async def check(store: Store, player: str, party_id: str, membership: str) -> bool:
    """Whether a binding is true. If it is not, it is cleared, and a player who had been a member is told so."""
    found = await store.party_look(party_id, player, membership)
    if found.status == "in":
        return True
    was_told = (await store.party_holding(player, None)).shown > 0
    silent = found.reason == "lost" and not was_told
    await store.party_part(player, membership, None if silent else _event(parted(party_id, found.reason)))
    return False


# --- going -------------------------------------------------------------------------------------------------------------------------------------------


async def leave(store: Store, player: str, generation: int, op_id: str) -> PartyOutcome:
    """Leave the party one is in; a ticket under which it waits ends."""
    holding = await store.party_holding(player, generation, op_id)
    if holding.status == "stale":
        return PartyOutcome("stale")
    if holding.status == "done":
        return PartyOutcome("done", party_id=holding.party)
    if holding.status == "none":
        return PartyOutcome("not_in_party")
    for _ in range(ATTEMPTS):
        status = await _remove(store, holding.party, player, op_id, player, "left")
        # Not a member may mean not yet: the look leaves a mark that keeps an admission out which is still on its way.
        if status == "removed" or (await store.party_look(holding.party, player, holding.membership)).status == "gone":
            await store.party_part(player, holding.membership, _event(parted(holding.party, "left")), op_id)
            await publish(store, holding.party)
            return PartyOutcome("done", party_id=holding.party)
    return PartyOutcome("busy")


async def kick(store: Store, leader: str, generation: int, op_id: str, player: str) -> PartyOutcome:
    """Send a member away, and make a new invite; a ticket under which the party waits ends."""
    holding = await _own(store, leader, generation)
    if isinstance(holding, PartyOutcome):
        return holding
    if player == leader:
        return PartyOutcome("not_a_member")
    party = await store.party_read(holding.party)
    membership = party.members.get(player, "") if party else ""
    status = await _remove(store, holding.party, leader, op_id, player, "kicked")
    if membership and status in ("removed", "done"):
        await store.party_part(player, membership, _event(parted(holding.party, "kicked")))
    party = await publish(store, holding.party)
    match status:
        case "removed" | "done":
            return PartyOutcome("done", party, holding.party)
        case "not_leader":
            return PartyOutcome("not_party_leader", party)
        case "not_member":
            return PartyOutcome("not_a_member", party)
    return PartyOutcome("busy", party)


async def _own(store: Store, player: str, generation: int) -> PartyHolding | PartyOutcome:
    holding = await store.party_holding(player, generation)
    if holding.status == "stale":
        return PartyOutcome("stale")
    if not holding.party or not await check(store, player, holding.party, holding.membership):
        return PartyOutcome("not_in_party")
    return holding


async def _remove(store: Store, party_id: str, by: str, op_id: str, player: str, reason: str) -> str:
    """End the ticket that holds the player, then take the player out: `removed`, `done`, `not_member`, `not_leader` or `busy`."""
    for _ in range(ATTEMPTS):
        party = await store.party_read(party_id)
        if party is None:
            return "not_member"
        ended = ""
        if party.place is not None and player in party.members and by in (player, party.leader):
            await end_ticket(store, party, party.place)
            ended = party.place.ticket
        removal = await store.party_remove(
            party_id, by, op_id, player, party.members.get(player, "-"), reason, ended, "" if by == player else code()
        )
        if removal.status == "removed":
            await _end_shared(store, player)
        if removal.status != "queued":
            return removal.status
    return "busy"


async def _end_shared(store: Store, player: str) -> None:
    """A party's players who went back to the queue after a match that came to nothing wait under a ticket that the party does not name."""
    place = (await store.party_holding(player, None)).place
    record = await store.record(place) if place else None
    if place and record and len(members := [member.id for member in record_decoder.decode(record).players]) > 1:
        await _cancel(store, place, members)


async def end_ticket(store: Store, party: Party, place: values.Place) -> None:
    """See to it that a party's ticket never waits (again), and tell everybody in it."""
    await _cancel(store, place, list(party.members))
    await store.party_unqueue(party.id, place.ticket, "unqueued")


async def _cancel(store: Store, place: values.Place, members: Sequence[str]) -> None:
    entry = ticket_ended(place, members, CHANGED, rfc3339(time.time()))
    cancellation = await store.cancel(place, members[0], CHANGED, entry)
    if cancellation.status == "cancelled" and cancellation.detail:
        await relay(store, values.PendingEntry(cancellation.detail, entry))
    elif cancellation.status == "ended" and cancellation.detail == "lost":  # it never waited, so nobody will be told of its end
        await _release(store, members, place.ticket)


async def _release(store: Store, members: Iterable[str], ticket: str) -> None:
    await asyncio.gather(*(store.release(member, ticket) for member in members))


# --- leading -----------------------------------------------------------------------------------------------------------------------------------------


async def promote(store: Store, leader: str, generation: int, op_id: str, player: str) -> PartyOutcome:
    """Make another member the leader."""
    return await _lead(store, leader, generation, op_id, player, "")


async def renew_invite(store: Store, leader: str, generation: int, op_id: str) -> PartyOutcome:
    """Make a new invite; the old one is good no longer."""
    return await _lead(store, leader, generation, op_id, "", code())


async def _lead(store: Store, leader: str, generation: int, op_id: str, player: str, secret: str) -> PartyOutcome:
    holding = await _own(store, leader, generation)
    if isinstance(holding, PartyOutcome):
        return holding
    status = await store.party_lead(holding.party, leader, op_id, player, secret)
    party = await publish(store, holding.party)
    if status == "not_leader":
        return PartyOutcome("not_party_leader", party)
    return PartyOutcome("not_a_member" if status == "not_member" else "done", party, holding.party)


# --- queueing ----------------------------------------------------------------------------------------------------------------------------------------


class PartyChangedError(Exception):
    """The members are not those for whom the ticket was to be built; look again."""


async def queue(store: Store, request: Join, holding: PartyHolding, build: BuildRecord) -> tuple[JoinOutcome, Party | None]:
    """Let a whole party wait: name the ticket, then join as `request` says. May be repeated with the same `op_id`.

    Args:
        request: with the members that the caller knows, the leader first.
        holding: the leader's.

    Returns:
        how it ended, and the party if it waits.

    Raises:
        PartyChangedError: there are other members, or another leader, by now.
    """
    outcome = JoinOutcome("busy", values.Place("", request.pool, request.region, request.mode))
    for _ in range(ATTEMPTS):
        named = await store.party_queue(
            holding.party,
            request.players[0],
            holding.membership,
            request.op_id,
            (request.pool, request.region, request.mode),
            secrets.token_hex(6),
        )
        place = named.place
        if named.status in ("not_member", "not_leader"):
            raise PartyChangedError
        if named.status == "taken":
            party = await store.party_read(holding.party)  # nobody comes or goes while a ticket is named, so these are its players
            if party is not None and party.place == place and not await _forget(store, party.id, place, list(party.members)):
                return JoinOutcome("already_queued", place, player=request.players[0]), None
            continue
        if set(named.members) != set(request.players):
            await _forget(store, holding.party, place, named.members)
            raise PartyChangedError
        there = Join(named.members, request.generation, request.op_id, place.pool, place.region, place.mode, place.ticket)
        outcome = await join(store, there, build)
        if outcome.status == "joined":
            return outcome, await _waits(store, holding.party, outcome)
        if not await _forget(store, holding.party, place, named.members):
            return JoinOutcome("joined", place), await publish(store, holding.party)
        if outcome.status != "busy":
            break
    return outcome, None


async def _waits(store: Store, party_id: str, outcome: JoinOutcome) -> Party | None:
    if outcome.enqueued.status == "waiting":
        await store.party_waits(party_id, outcome.place.ticket, round(outcome.enqueued.enqueued * 1000))
    return await publish(store, party_id)


async def _forget(store: Store, party_id: str, place: values.Place, members: Sequence[str]) -> bool:
    """Give a named ticket up, unless it has come to wait meanwhile."""
    fate = await store.look(place, members[0])
    if fate.status == "waiting":
        return False
    if fate.detail == "lost":
        await _release(store, members, place.ticket)
    await store.party_unqueue(party_id, place.ticket, "unqueued")
    return True


async def settle(store: Store, party: Party | None) -> Party | None:
    """Find out whether a party's ticket waits, and tell the members what is news; the party as it is then."""
    if party is None or party.place is None:
        return party
    if party.since is None and party.now / 1000 - int(party.place.ticket[:11], 16) / 1000 < UNSETTLED:
        return party
    fate = await store.look(party.place, party.leader)
    if fate.status == "waiting":
        if party.since is None:
            await store.party_waits(party.id, party.place.ticket, round(float(fate.detail)))
            return await publish(store, party.id)
        return party
    if fate.detail == "lost":
        await _release(store, party.members, party.place.ticket)
    await store.party_unqueue(party.id, party.place.ticket, "unqueued")
    return await publish(store, party.id)


async def look_after(store: Store, party: Party, connected: Mapping[str, bool], grace: float) -> Party | None:
    """Note who is connected, settle the party's ticket, and end it if a member has been gone for too long.

    Args:
        connected: for each member, whether there has been a sign of life lately.
        grace: seconds that the ticket's pool waits for members to come back.
    """
    if await store.party_presence(party.id, connected):
        after = await publish(store, party.id)
        if after is None:
            return None
        party = after
    settled = await settle(store, party)
    if settled is not None and settled.place is not None and any(settled.now - since >= grace * 1000 for since in settled.away.values()):
        await end_ticket(store, settled, settled.place)
        return await publish(store, party.id)
    return settled
