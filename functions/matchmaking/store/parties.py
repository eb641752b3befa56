"""Parties: the order of the scripts, and what to do with each answer.

A player and a party may live on different shards, so being in a party is two facts: the player is **bound** to it (the player's slot: hence nobody is in
two), and the party has **admitted** the player (the party's slot: this is the truth). Any process may stop between two steps. A binding is never believed
by itself: who meets one asks the party, which leaves a mark if it does not know the membership, so that a late admission is refused; then the binding
is cleared.

A party queues under a ticket whose id is written into the party before anybody is reserved for it. While it stands there, nobody comes in, and nobody
goes before the ticket has been ended in its pool. So a ticket that waits holds exactly the party's members. A ticket that is named but ended, or never
came to wait, is cleared by whoever meets it, after a look into its pool. One that goes back because its match came to nothing is named anew
(`party_requeue.py`).

Members are told by versions: every change counts the party's version up, a member is told the party whole, and a version that was told is not told again.
Whoever made the change tells at once; if it cannot, the gateways do, which compare versions every few seconds.
"""

import secrets
from typing import Literal

import msgspec

from .interface import Store
from .joining import ATTEMPTS, record_decoder
from .party_news import code, event_of, parted, publish, split_invite
from .party_queue import cancel, end_ticket, settle
from .party_values import Party, PartyHolding

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
    await store.party_part(player, membership, None if silent else event_of(parted(party_id, found.reason)))
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
            await store.party_part(player, holding.membership, event_of(parted(holding.party, "left")), op_id)
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
        await store.party_part(player, membership, event_of(parted(holding.party, "kicked")))
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
        await cancel(store, place, members)


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
