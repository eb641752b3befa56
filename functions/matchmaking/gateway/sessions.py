"""What players and servers ask of sessions: accepting, declining, and whatever follows from it on this gateway."""

import asyncio
import time

import msgspec

from matchmaking.core.session import Session as Match
from matchmaking.core.session_events import Accept, Decline
from matchmaking.protocol import connection as protocol
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.events import SESSION_UPDATE, rfc3339
from matchmaking.protocol.messages import ErrorData, GameStateUpdateData
from matchmaking.protocol.session_messages import MatchAnswerData
from matchmaking.store import keys
from matchmaking.store.errors import StoreError
from matchmaking.store.sessions import Change, change

from .hub import Hub
from .queueing import UNAVAILABLE
from .session import Session
from .session_view import current_session

_json = msgspec.json.Encoder()
REFUSALS = {
    "unknown": ("unknown_match", "there is no such match"),
    "not_yours": ("unknown_match", "you are not in that match"),
    "too_late": ("too_late", "the time to answer is over, or the match has been cancelled"),
}


async def answer(hub: Hub, session: Session, data: MatchAnswerData, *, accepts: bool) -> None:
    """Carry out a `match_accept` or `match_decline`; what comes of it is told as the match's events."""
    try:
        while True:
            generation = session.connection.generation
            holding, known = await asyncio.gather(hub.store.holding(session.player, generation), hub.store.session_read(data.match_id))
            if holding.status != "stale":
                break
            if not await session.began_anew_since(generation):
                session.close(CloseCode.REPLACED)
                return
        done = await change(hub.store, data.match_id, Accept(session.player) if accepts else Decline(session.player), known)
    except StoreError:
        session.feed(protocol.Refused(ErrorData("unavailable", UNAVAILABLE, data.op_id, 2.0)))
        raise
    if done.answer in REFUSALS:
        code, text = REFUSALS[done.answer]
        session.feed(protocol.Refused(ErrorData(code, text, data.op_id)))
        return
    await _tell_progress(hub, session, done)
    if done.session is not None and done.session.wants_server(time.time() + 1):
        hub.spawn(hub.allocation.allocate(hub.store, done.session))


async def _tell_progress(hub: Hub, session: Session, done: Change) -> None:
    """How many have accepted; not numbered, because the next answer makes it worthless."""
    match = done.session
    if match is None or match.over:
        return
    update = _progress(match)
    session.send(update)
    if match.status == "proposed":
        others = [player for player in match.players if player != session.player]
        text, now = _json.encode(update), update.timestamp
        await asyncio.gather(*(hub.store.publish(keys.updates_channel(player), SESSION_UPDATE, text, now) for player in others))


def _progress(match: Match) -> GameStateUpdateData:
    state: dict[str, object] = {"status": match.status}
    if match.status == "proposed":
        state |= {"accepted": sum(seat.accepted for seat in match.seats), "players": len(match.seats)}
    return GameStateUpdateData(match.id, state, rfc3339(time.time()))


async def send_states(hub: Hub) -> None:
    """Publications may have been lost: everybody who plays gets the session's state once more."""
    for session in list(hub.sessions.values()):
        current = await current_session(hub.store, session.player)
        if current is not None:
            session.send(GameStateUpdateData(current.session_id, current.state, rfc3339(time.time())))
