"""A party's ticket: named in the party, then reserved for each member and enqueued; ended before anybody goes. `parties.py` says why in this order."""

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence

from matchmaking.protocol.events import rfc3339

from . import values
from .interface import Store
from .joining import ATTEMPTS, BuildRecord, Join, JoinOutcome, join, ticket_ended
from .party_news import publish
from .party_values import Party, PartyHolding
from .relay import relay

CHANGED = "party_changed"  # why a ticket ends when a member leaves, is sent away, or is gone
UNSETTLED = 5.0  # s; a ticket that is named for less long may be about to be enqueued, and is left alone by those who only pass by


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
    if fate.detail == values.LOST:
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
    if fate.detail == values.LOST:
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


async def end_ticket(store: Store, party: Party, place: values.Place) -> None:
    """See to it that a party's ticket never waits (again), and tell everybody in it."""
    await cancel(store, place, list(party.members))
    await store.party_unqueue(party.id, place.ticket, "unqueued")


async def cancel(store: Store, place: values.Place, members: Sequence[str]) -> None:
    """End a ticket whose party changes, unless it was matched."""
    entry = ticket_ended(place, members, CHANGED, rfc3339(time.time()))
    cancellation = await store.cancel(place, members[0], CHANGED, entry)
    if cancellation.status == "cancelled" and cancellation.detail:
        await relay(store, values.PendingEntry(cancellation.detail, entry))
    elif cancellation.status == "ended" and cancellation.detail == values.LOST:  # it never waited, so nobody will be told of its end
        await _release(store, members, place.ticket)


async def _release(store: Store, members: Iterable[str], ticket: str) -> None:
    await asyncio.gather(*(store.release(member, ticket) for member in members))
