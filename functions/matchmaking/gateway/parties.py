"""What clients ask of their parties: create, join, leave, and what only a leader may. The answer is the party, or an error."""

import secrets
from collections.abc import Awaitable, Callable

from matchmaking.protocol import connection as protocol
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.messages import (
    ErrorData,
    PartyCreate,
    PartyInvite,
    PartyJoin,
    PartyKick,
    PartyLeave,
    PartyMessage,
    PartyPromote,
    PartyUpdateData,
)
from matchmaking.store import parties, party_news, party_queue
from matchmaking.store.errors import StoreError
from matchmaking.store.interface import LARGEST_PARTY, Store
from matchmaking.store.parties import PartyOutcome

from .hub import Hub
from .queueing import OPERATION_BYTES, UNAVAILABLE
from .session import Session

# What is said of each way in which a request ends without an effect: code, text, and seconds after which it may work.
REFUSALS: dict[str, tuple[str, str, float | None]] = {
    "not_in_party": ("not_in_party", "you are in no party; create one, or join one by its invite", None),
    "already_in_party": ("already_in_party", "you are in a party; leave it first", None),
    "unknown_invite": ("unknown_invite", "no party has this invite, or it is good no longer; ask the party's leader for a new one", None),
    "party_full": ("party_full", f"a party has at most {LARGEST_PARTY} members", None),
    "party_queued": ("party_queued", "the party waits in a queue; join when it does not", 5.0),
    "not_party_leader": ("not_party_leader", "only the party's leader may do that", None),
    "not_a_member": ("not_a_member", "no other member of your party has this player id", None),
    "busy": ("busy", "several requests about this party are under way; repeat the last one", 1.0),
}

Request = Callable[[Store, str, int, str], Awaitable[PartyOutcome]]


def _request(message: PartyMessage) -> Request:
    match message:
        case PartyCreate():
            return parties.create
        case PartyJoin(data):
            return lambda store, player, generation, op_id: parties.accept(store, player, generation, op_id, data.invite)
        case PartyLeave():
            return parties.leave
        case PartyKick(member):
            return lambda store, player, generation, op_id: parties.kick(store, player, generation, op_id, member.player_id)
        case PartyPromote(member):
            return lambda store, player, generation, op_id: parties.promote(store, player, generation, op_id, member.player_id)
        case PartyInvite():
            return parties.renew_invite


async def ask(hub: Hub, session: Session, message: PartyMessage) -> None:
    """Carry out a request about a party; the answer goes to the session, and every change to all members by their outboxes."""
    op_id = message.data.op_id
    named = op_id or secrets.token_hex(OPERATION_BYTES)
    try:
        while True:
            generation = session.connection.generation
            outcome = await _request(message)(hub.store, session.player, generation, named)
            if outcome.status != "stale" or not await session.began_anew_since(generation):
                break
    except StoreError:
        hub.metrics.refused.labels("unavailable").inc()
        session.feed(protocol.Refused(ErrorData("unavailable", UNAVAILABLE, op_id, 2.0)))
        raise
    if outcome.status == "stale":
        session.close(CloseCode.REPLACED)
    elif outcome.status == "done":
        answer = _answer(session.player, outcome, op_id)
        hub.parties.note(session.player, answer)
        session.send(answer)
    else:
        code, text, retry_after = REFUSALS[outcome.status]
        hub.metrics.refused.labels(code).inc()
        session.feed(protocol.Refused(ErrorData(code, text, op_id, retry_after)))


def _answer(player: str, outcome: PartyOutcome, op_id: str) -> PartyUpdateData:
    if outcome.party is not None and player in outcome.party.members:
        return party_news.update(outcome.party, op_id)
    return party_news.parted(outcome.party_id, "left", op_id)


async def current_party(hub: Hub, player: str, *, anew: bool) -> PartyUpdateData | None:
    """The party of a player who connects (`anew`: as a new client session, whose operation ids are its own)."""
    holding = await hub.store.party_holding(player, None, anew=anew)
    if not holding.party or not await parties.check(hub.store, player, holding.party, holding.membership):
        return None
    if await hub.store.party_presence(holding.party, {player: True}):
        party = await party_news.publish(hub.store, holding.party)
    else:
        party = await party_queue.settle(hub.store, await hub.store.party_read(holding.party))
    return party_news.update(party) if party is not None and player in party.members else None
