"""Joining and leaving a queue: the order of the scripts, and what to do with each answer.

A player and a pool may live on different shards, so joining is two steps: reserve (the player's slot), then enqueue (the pool's slot). A process may stop
between any two steps. A reservation is never believed by itself: who meets one looks into its pool. There the ticket waits or was matched (then the
reservation is true), or it never came (then a mark keeps a late enqueue out, and the reservation is cleared), or it has ended. Then its end is on its way to the
player, and clears the reservation itself: if somebody else did, the end would count as delivered, and the player would never hear of it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from matchmaking.core.ticket import Ticket
from matchmaking.protocol.events import TICKET_ENDED, TicketEndedData

from . import values
from .interface import Store
from .relay import relay
from .sessions import holds

ATTEMPTS = 5  # each attempt but the last clears a dead reservation; more than one in a row is already a race with oneself
ON_ITS_WAY = 0.2  # s to wait for a ticket's end before the second attempt, doubled before each further one: three in all, enough for a relay that was left behind

record_encoder = msgspec.msgpack.Encoder()
record_decoder = msgspec.msgpack.Decoder(Ticket)
_json = msgspec.json.Encoder()

BuildRecord = Callable[[values.Place, Sequence[values.Reservation]], Ticket]


class Join(msgspec.Struct, frozen=True):
    """Who wants to wait where.

    Attributes:
        players: the party, leader first.
        generation: the leader's connection.
        op_id: the leader's operation; never empty.
        ticket: the ticket's id if it is decided already; else the leader's reservation makes it.
    """

    players: tuple[str, ...]
    generation: int
    op_id: str
    pool: str
    region: str
    mode: str
    ticket: str = ""


class JoinOutcome(msgspec.Struct, frozen=True):
    """How a join ended.

    Attributes:
        status: `joined`; `repeated` (this operation had its effect before, its ticket has ended); `already_queued`; `already_matched` (the match is on
            its way); `in_session` (the player's match goes on); `cooldown` (for `retry_after` seconds); `stale` (a newer connection
            exists); `busy` (give it another try).
        player: whose state stood in the way, if somebody's did.
    """

    status: Literal["joined", "repeated", "already_queued", "already_matched", "in_session", "cooldown", "stale", "busy"]
    place: values.Place
    enqueued: values.Enqueued = values.Enqueued("waiting")
    player: str = ""
    retry_after: float = 0.0


async def join(store: Store, request: Join, build: BuildRecord) -> JoinOutcome:
    """Reserve every player of the party, then enqueue their ticket. May be repeated with the same `op_id`.

    Args:
        build: makes the ticket from its place and the reservations (which carry the players' ratings and preferences), in the party's order; what it
            raises ends the join, and nothing is left of it.

    Raises:
        StoreUnavailableError: it is not known whether the ticket waits; the same call tells.
    """
    outcome = JoinOutcome("busy", values.Place("", request.pool, request.region, request.mode))
    for attempt in range(ATTEMPTS):
        reserved, outcome = await _reserve_all(store, request, attempt)
        if outcome.status == "busy":
            continue
        if outcome.status != "joined" or not reserved:
            return outcome
        place = outcome.place
        try:
            record = record_encoder.encode(build(place, reserved))
        except Exception:  # the ticket is refused; unless it waits already, because this comes again
            given_up = await _abandon(store, request.players, JoinOutcome("busy", place))
            if given_up.status == "joined":
                return given_up
            raise
        enqueued = await store.enqueue(place, request.players[0], record)
        if enqueued.status != "cancelled":
            return JoinOutcome("joined", place, enqueued)
        await _clear(store, request.players, place, (await store.look(place, request.players[0])).detail, attempt)
        outcome = JoinOutcome("busy", place)
        if request.ticket:
            return outcome  # a ticket that has ended stays so; the caller may choose another id
    return await _abandon(store, request.players, outcome)


async def _clear(store: Store, players: Sequence[str], place: values.Place, why: str, attempt: int) -> None:
    """Clear the reservations of a ticket that has ended, unless its end is on its way; an end that has not come at the last attempt never will."""
    if why != values.LOST and attempt < ATTEMPTS - 1:
        await asyncio.sleep(ON_ITS_WAY * 2**attempt)
        return
    for player in players:
        await store.release(player, place.ticket)


async def _reserve_all(store: Store, request: Join, attempt: int) -> tuple[list[values.Reservation], JoinOutcome]:
    """Reserve each player in turn. What was reserved stays so if the answer is `busy`, and is given up if it is anything else but `joined`."""
    reserved: list[values.Reservation] = []
    ticket = request.ticket
    for i, player in enumerate(request.players):
        reservation = await store.reserve(
            player,
            generation=request.generation if i == 0 else None,
            op_id=request.op_id if i == 0 else "",
            ticket=ticket,
            pool=request.pool,
            region=request.region,
            mode=request.mode,
            leader=request.players[0],
        )
        outcome = await _judge(store, player, reservation, ticket, attempt)
        if outcome.status == "busy":
            ours = reserved[0].place if reserved else values.Place("", request.pool, request.region, request.mode)
            return [], msgspec.structs.replace(outcome, place=ours)
        if outcome.status != "joined":
            if not reserved:
                return [], outcome
            given = msgspec.structs.replace(outcome, place=reserved[0].place)
            given_up = await _abandon(store, request.players[:i], given)
            return [], given_up if given_up.status == "joined" else outcome
        ticket = reservation.place.ticket
        reserved.append(reservation)
    return reserved, JoinOutcome("joined", reserved[0].place)


async def _abandon(store: Store, players: Sequence[str], outcome: JoinOutcome) -> JoinOutcome:
    """Give up a join of which some players are reserved. Its twin on another gateway may be further: so first a mark that keeps the ticket out."""
    place = outcome.place
    if not place.ticket:
        return outcome
    fate = await store.look(place, players[0])
    if fate.status != "cancelled":
        since = float(fate.detail) / 1000 if fate.status == "waiting" else 0.0
        return JoinOutcome("joined", place, values.Enqueued(fate.status, enqueued=since))
    if fate.detail == values.LOST:
        for player in players:
            await store.release(player, place.ticket)
    return outcome


async def _judge(store: Store, player: str, reservation: values.Reservation, ticket: str, attempt: int) -> JoinOutcome:
    place = reservation.place
    if reservation.status == "reserved" and ticket in ("", place.ticket):
        return JoinOutcome("joined", place)
    if reservation.status == "stale":
        return JoinOutcome("stale", place, player=player)
    if reservation.status == "done":
        return JoinOutcome("repeated", place, player=player)
    if reservation.status == "cooldown":
        return JoinOutcome("cooldown", place, player=player, retry_after=int(place.ticket) / 1000)
    if reservation.status == "in_session":
        held = await holds(store, player, place.ticket)
        return JoinOutcome("in_session" if held else "busy", place, player=player)
    fate = await store.look(place, player)
    if fate.status == "waiting":
        return JoinOutcome("already_queued", place, player=player)
    if fate.status == "matched":
        return JoinOutcome("already_matched", place, player=player)
    await _clear(store, (player,), place, fate.detail, attempt)
    return JoinOutcome("busy", place, player=player)


class LeaveOutcome(msgspec.Struct, frozen=True):
    """How leaving ended; `detail` is the match's id if it came too late; `numbers` the players' event numbers."""

    status: Literal["left", "not_queued", "already_matched", "stale"]
    place: values.Place | None = None
    detail: str = ""
    entry: values.RelayEntry | None = None
    numbers: dict[str, int] = {}


async def leave(store: Store, player: str, generation: int, op_id: str, timestamp: str, reason: str = "left") -> LeaveOutcome:
    """Cancel the ticket that a player holds (for the whole party), and tell everybody in it."""
    holding = await store.holding(player, generation)
    if holding.status == "stale":
        return LeaveOutcome("stale")
    place = holding.place
    if holding.status == "matched":
        return LeaveOutcome("already_matched", detail=holding.leader)
    if place is None:
        return LeaveOutcome("not_queued")
    record = await store.record(place)
    members = [member.id for member in record_decoder.decode(record).players] if record else [player]
    entry = ticket_ended(place, members, reason, timestamp, op_id)
    cancellation = await store.cancel(place, player, reason, entry)
    if cancellation.status == "matched":
        return LeaveOutcome("already_matched", place, cancellation.detail)
    if cancellation.status == "ended":
        if cancellation.detail == values.LOST:
            await store.release(player, place.ticket)
        return LeaveOutcome("not_queued", place, cancellation.detail)
    numbers = await relay(store, values.PendingEntry(cancellation.detail, entry)) if cancellation.detail else {}
    return LeaveOutcome("left", place, entry=entry, numbers=numbers)


def ticket_ended(place: values.Place, players: Sequence[str], reason: str, timestamp: str, op_id: str = "") -> values.RelayEntry:
    """The event that tells players that their ticket ended without a match."""
    data = TicketEndedData(place.ticket, place.pool, place.region, place.mode, reason, op_id)
    return values.RelayEntry(place.pool, dict.fromkeys(players, place.ticket), TICKET_ENDED, msgspec.Raw(_json.encode(data)), timestamp)
