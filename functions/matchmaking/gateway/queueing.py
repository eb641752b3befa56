"""Joining and leaving queues for a client: checks the wish, runs the store's steps, and feeds the answer to the session."""

import math
import secrets
import time
from collections.abc import Sequence

import msgspec

from matchmaking.core.pool import PoolRules
from matchmaking.core.ticket import Ticket
from matchmaking.protocol import connection as protocol
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.events import StoredEvent, rfc3339
from matchmaking.protocol.messages import ErrorData, QueueJoinData, QueuePlace
from matchmaking.store.errors import StoreError
from matchmaking.store.joining import Join, JoinOutcome
from matchmaking.store.joining import join as join_queue
from matchmaking.store.joining import leave as leave_queue
from matchmaking.store.values import Place, Reservation
from matchmaking.telemetry.traces import Noted

from .errors import RefusedError
from .hub import Hub
from .party_queueing import forget_ticket, join_as_party
from .session import Session
from .tickets import (
    Preferences,
    brings_anything,
    build_ticket,
    check_wish,
    complete,
    needs_preferences,
    preferences_decoder,
    read_preferences,
)

OPERATION_BYTES = 8  # of an operation id that we make because the client gave none
UNAVAILABLE = "the service cannot reach its store; repeat the same operation"


async def join(hub: Hub, session: Session, wish: QueueJoinData) -> None:
    """Carry out a `queue_join`; the answer goes to the session."""
    with hub.traces.join(wish.pool, wish.region, wish.mode) as noted:
        await _answer_join(hub, session, wish, noted)


async def _answer_join(hub: Hub, session: Session, wish: QueueJoinData, noted: Noted) -> None:
    try:
        rules = await hub.pools.find(wish.pool)
        if rules is None:
            known = ", ".join(name for name, _ in hub.pools.items())
            raise RefusedError("unknown_pool", f"there is no pool `{wish.pool}`; there are {known}")
        named = msgspec.structs.replace(wish, op_id=wish.op_id or secrets.token_hex(OPERATION_BYTES))
        outcome = await _queued(hub, session, named, rules)
        noted.outcome, noted.ticket = outcome.status, outcome.place.ticket
        _joined(session, wish, outcome)
    except RefusedError as error:
        noted.outcome = error.code
        hub.metrics.refused.labels(error.code).inc()
        session.feed(protocol.Refused(ErrorData(error.code, str(error), wish.op_id, error.retry_after), join=True))
    except StoreError:
        hub.metrics.refused.labels("unavailable").inc()
        session.feed(protocol.Refused(ErrorData("unavailable", UNAVAILABLE, wish.op_id, 2.0), join=True))
        raise


async def _queued(hub: Hub, session: Session, wish: QueueJoinData, rules: PoolRules) -> JoinOutcome:
    """With the party, or alone; again if the session began anew meanwhile, because nobody has taken it over then."""
    while True:
        generation = session.connection.generation
        outcome = await join_as_party(hub, session, wish, rules) if hub.parties.of(session.player) else None
        outcome = outcome or await _join_alone(hub, session, wish, rules)
        if outcome.status != "stale" or not await session.began_anew_since(generation):
            return outcome


async def _join_alone(hub: Hub, session: Session, wish: QueueJoinData, rules: PoolRules) -> JoinOutcome:
    players = (session.player,)
    plain = not (rules.suspend or brings_anything(wish)) and hub.pools.door(wish.pool, rules).takes_anybody(
        wish.region or "", wish.mode or ""
    )
    if not plain:
        wish = complete(wish, rules, await read_preferences(hub.store, session.player) if needs_preferences(wish) else Preferences())
        check_wish(wish, rules, players)

    def build(place: Place, found: Sequence[Reservation]) -> Ticket:
        """Of a plain wish only what the player's preferences add to it can be refused; they come with the reservation, which saves asking for them."""
        whole = wish
        if plain and found[0].preferences:
            whole = complete(wish, rules, preferences_decoder.decode(found[0].preferences))
            check_wish(whole, rules, players)
        return build_ticket(whole, rules, players, place, found)

    request = Join(players, session.connection.generation, wish.op_id, wish.pool, wish.region or "", wish.mode or "")
    return await join_queue(hub.store, request, build)


def _joined(session: Session, wish: QueueJoinData, outcome: JoinOutcome) -> None:
    place, enqueued = outcome.place, outcome.enqueued
    other = outcome.player if outcome.player != session.player else ""
    where = f"pool `{place.pool}`, region `{place.region}`, mode `{place.mode}`"
    match outcome.status:
        case "joined" | "repeated":
            shown = QueuePlace(place.ticket, place.pool, place.region, place.mode)
            since = enqueued.enqueued or time.time()
            session.feed(protocol.Joined(shown, wish.op_id, enqueued.position, enqueued.length, since, enqueued.mean_wait))
        case "already_queued":
            who = f"`{other}` waits" if other else "you wait"
            raise RefusedError("already_queued", f"{who} already: {where}; leave that queue first")
        case "already_matched":
            raise RefusedError("already_matched", f"{_whose(other)} match of {where} is on its way", 1.0)
        case "in_session":
            raise RefusedError("in_session", f"{_whose(other)} match goes on; queue again when it has ended", 5.0)
        case "cooldown":
            wait = round(outcome.retry_after, 1)
            raise RefusedError(
                "cooldown", f"{f'`{other}`' if other else 'you'} let a match of this pool down; queue again in {math.ceil(wait)} s", wait
            )
        case "stale":
            session.close(CloseCode.REPLACED)
        case "busy":
            raise RefusedError("busy", "several joins of yours are under way; repeat the last one", 1.0)


def _whose(other: str) -> str:
    return f"`{other}`'s" if other else "your"


async def leave(hub: Hub, session: Session, op_id: str) -> None:
    """Carry out a `queue_leave`; the answer is the ticket's end, or an error."""
    generation = session.connection.generation
    try:
        outcome = await leave_queue(hub.store, session.player, generation, op_id, rfc3339(time.time()))
    except StoreError:
        session.feed(protocol.Refused(ErrorData("unavailable", UNAVAILABLE, op_id, 2.0)))
        raise
    if outcome.status == "stale" and await session.began_anew_since(generation):
        await leave(hub, session, op_id)
        return
    if outcome.status == "left" and outcome.place is not None:
        hub.spawn(forget_ticket(hub, session.player, outcome.place))
    match outcome.status:
        case "left" if outcome.entry is not None and outcome.numbers.get(session.player):
            entry, seq = outcome.entry, outcome.numbers[session.player]
            session.feed(protocol.Published(StoredEvent(seq, entry.type, bytes(entry.data), entry.timestamp)))
        case "left":
            session.feed(protocol.Resync())
        case "not_queued":
            session.feed(protocol.Refused(ErrorData("not_queued", "you do not wait in any queue", op_id)))
        case "already_matched":
            session.feed(protocol.Refused(ErrorData("already_matched", f"too late: match {outcome.detail} is on its way", op_id)))
        case "stale":
            session.close(CloseCode.REPLACED)
