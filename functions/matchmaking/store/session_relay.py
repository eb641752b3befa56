"""Carries out what a session's transitions do elsewhere: events for its players, tickets that go back, cooldowns, ratings, backfill tickets.

Effects are carried out in their order, each of them idempotent, and forgotten only once all before them are done. Those that follow each other and concern
different players are carried out together: of nine tickets that go back, none is matched without the ninth because it was a little later. Several processes may be
at it at once.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import assert_never

import msgspec

from matchmaking.core.session import Session
from matchmaking.core.session_effects import Ask, Dismiss, Effect, GiveBack, Rate, Tell, Withdraw
from matchmaking.protocol.events import SESSION_UPDATE, TICKET_ENDED, TicketEndedData, rfc3339
from matchmaking.protocol.messages import GameStateUpdateData
from matchmaking.protocol.session_messages import MATCH_CANCELLED, MatchCancelledData

from . import values
from .interface import Store
from .party_requeue import requeue, requeued
from .session_values import PendingEffect, Requeue

_json = msgspec.json.Encoder()
_record = msgspec.msgpack.Encoder()
NOT_YET = -1  # what `session_deliver` says while the match itself has not reached the player
TOGETHER: dict[type[Effect], int] = {GiveBack: -1, Dismiss: -1, Rate: -2}  # each of these concerns other players than its like


async def carry_out_all(store: Store, session: Session) -> bool:
    """Carry out all effects of a session that wait; False if some must wait for another process."""
    effects = await store.session_effects(session.id)
    done = await carry_out(store, session, effects)
    if done:
        await store.session_settle(session.id, done)
    return len(done) == len(effects)


async def carry_out(store: Store, session: Session, effects: Sequence[PendingEffect]) -> list[int]:
    """Carry out the effects of a session that wait; the numbers of those that are done, if some must wait for another process not all. They are to be settled."""
    done: list[int] = []
    for group in _groups(effects):
        each = await asyncio.gather(*(_one(store, session, f"{session.id}:{pending.number}", pending.effect) for pending in group))
        done += [pending.number for pending, is_done in zip(group, each, strict=True) if is_done]
        if not all(each):
            break
    return done


def _groups(effects: Sequence[PendingEffect]) -> Iterator[list[PendingEffect]]:
    for _, group in groupby(effects, lambda pending: TOGETHER.get(type(pending.effect), pending.number)):
        yield list(group)


async def _one(store: Store, session: Session, event: str, effect: Effect) -> bool:
    match effect:
        case Tell():
            return await _tell(store, session, event, effect)
        case GiveBack():
            return await _give_back(store, session, event, effect)
        case Dismiss():
            return await _dismiss(store, session, event, effect)
        case Rate():
            await store.rate(effect.player, f"{session.id}:rated", f"{session.pool}:{session.mode}", effect)
        case Ask(ticket):
            place = values.Place(ticket.id, session.pool, ticket.region, ticket.mode)
            await store.enqueue(place, session.id, _record.encode(ticket), round(ticket.enqueued * 1000))
        case Withdraw(ticket):
            await _withdraw(store, session, ticket)
        case _:
            assert_never(effect)
    return True


async def _tell(store: Store, session: Session, event: str, tell: Tell) -> bool:
    now = rfc3339(time.time())
    numbers = await asyncio.gather(
        *(
            store.session_deliver(
                player,
                event,
                session.id,
                ticket,
                SESSION_UPDATE,
                _json.encode(GameStateUpdateData(session.id, {**tell.state, **tell.own.get(player, {})}, now)),
                now,
                tell.then,
            )
            for player, ticket in tell.players.items()
        )
    )
    return NOT_YET not in numbers


async def _give_back(store: Store, session: Session, event: str, back: GiveBack) -> bool:
    ticket, now = back.ticket, time.time()
    place = values.Place(ticket.id, session.pool, ticket.region, ticket.mode)
    members = [player.id for player in ticket.players]
    party = await requeue(store, back.old, place, members)
    waited = round(max(0.0, now - ticket.enqueued), 1)
    where = (session.pool, ticket.region, ticket.mode)
    told = MatchCancelledData(session.id, back.reason, True, ticket.id, None, *where, waited)  # type: ignore[arg-type]
    numbers = await _deliver(store, session, event, members, back.old, told, Requeue(ticket.id, *where, members[0]))
    if NOT_YET in numbers:
        return False
    enqueued = await store.enqueue(place, members[0], _record.encode(ticket), round(ticket.enqueued * 1000))
    if enqueued.status == "cancelled":  # we come too late for it, or somebody has left meanwhile
        await _end(store, place, members, "expired")
    if party:
        await requeued(store, party, place, enqueued)
    return True


async def _end(store: Store, place: values.Place, members: Sequence[str], reason: str) -> None:
    data = msgspec.Raw(_json.encode(TicketEndedData(place.ticket, place.pool, place.region, place.mode, reason)))
    entry = values.RelayEntry(place.pool, dict.fromkeys(members, place.ticket), TICKET_ENDED, data, rfc3339(time.time()))
    await asyncio.gather(*(store.deliver(player, place.ticket, entry) for player in members))


async def _dismiss(store: Store, session: Session, event: str, gone: Dismiss) -> bool:
    retry = None
    if gone.penalty:
        retry = await store.penalise(gone.player, f"{session.id}:penalty", session.pool, gone.penalty) or None
    told = MatchCancelledData(session.id, gone.reason, False, None, retry, session.pool, session.region, session.mode)  # type: ignore[arg-type]
    return NOT_YET not in await _deliver(store, session, event, [gone.player], gone.ticket, told, None)


async def _deliver(
    store: Store, session: Session, event: str, players: Sequence[str], ticket: str, told: MatchCancelledData, requeue: Requeue | None
) -> list[int]:
    now, data = rfc3339(time.time()), _json.encode(told)
    then = "requeue" if requeue else "free"
    return await asyncio.gather(
        *(
            store.session_deliver(player, event, session.id, ticket, MATCH_CANCELLED, data, now, then, requeue)  # type: ignore[arg-type]
            for player in players
        )
    )


async def _withdraw(store: Store, session: Session, ticket: str) -> None:
    place = values.Place(ticket, session.pool, session.region, session.mode)
    data = msgspec.Raw(_json.encode(TicketEndedData(ticket, session.pool, session.region, session.mode, "left")))
    entry = values.RelayEntry(session.pool, {}, TICKET_ENDED, data, rfc3339(time.time()))
    cancelled = await store.cancel(place, session.id, "left", entry)
    if cancelled.status == "cancelled" and cancelled.detail:
        await store.settle(session.pool, [values.PendingEntry(cancelled.detail, entry)])
