"""A whole party joins a queue: the leader asks, each member brings their own latencies, roles and attributes, and ratings come from the store."""

import asyncio
from collections.abc import Sequence
from functools import partial

from matchmaking.core.pool import PoolRules
from matchmaking.core.ticket import Ticket
from matchmaking.protocol.messages import QueueJoinData
from matchmaking.store import party_news, party_queue, values
from matchmaking.store.joining import Join, JoinOutcome

from .errors import RefusedError
from .hub import Hub
from .session import Session
from .tickets import Others, build_ticket, check_wish, complete, read_preferences

ATTEMPTS = 3  # members may come and go while preferences are read


async def join_as_party(hub: Hub, session: Session, wish: QueueJoinData, rules: PoolRules) -> JoinOutcome | None:
    """Queue the player's party.

    Returns:
        how it ended; None if the player is in no party.

    Raises:
        RefusedError: the player does not lead it, or the pool does not take it.
        StoreUnavailableError: it is not known whether the ticket waits; the same call tells.
    """
    for _ in range(ATTEMPTS):
        holding = await hub.store.party_holding(session.player, session.connection.generation)
        if holding.status == "stale":
            return JoinOutcome("stale", values.Place("", wish.pool, "", ""))
        party = await hub.store.party_read(holding.party) if holding.party else None
        if party is None or session.player not in party.members:
            return None
        if party.leader != session.player:
            raise RefusedError("not_party_leader", f"your party's leader `{party.leader}` queues for all; or leave the party first")
        players = (party.leader, *(member for member in party.members if member != party.leader))
        own, *theirs = await asyncio.gather(*(read_preferences(hub.store, player) for player in players))
        others = dict(zip(players[1:], theirs, strict=True))
        whole = complete(wish, rules, own, others)
        check_wish(whole, rules, players, others)
        request = Join(players, session.connection.generation, wish.op_id, wish.pool, whole.region or "", whole.mode or "")
        try:
            outcome, _ = await party_queue.queue(hub.store, request, holding, partial(_build, whole, rules, players, others))
        except party_queue.PartyChangedError:
            continue
        return outcome
    raise RefusedError("busy", "your party changes just now; repeat the join", 1.0)


def _build(
    wish: QueueJoinData,
    rules: PoolRules,
    players: Sequence[str],
    others: Others,
    place: values.Place,
    found: Sequence[values.Reservation],
) -> Ticket:
    return build_ticket(wish, rules, players, place, found, others)


async def forget_ticket(hub: Hub, player: str, place: values.Place) -> None:
    """A member took the whole party out of its queue."""
    known = hub.parties.of(player)
    if known is not None and await hub.store.party_unqueue(known.party, place.ticket, "unqueued"):
        await party_news.publish(hub.store, known.party)
