"""How a session begins: on a new socket, and anew on a live one.

The gateway subscribes to the player's channel before it takes the player over, so nothing falls in between; what is published while the store's answer is under
way is noted, and the session looks into its outbox afterwards. A client that offers to resume gets `hello` with `resumed` and the events that it has missed.
Any other one gets `hello` and always a `snapshot`: a client never has to guess what became of its ticket.

A live session begins anew, by `hello` and `snapshot` on the same socket, when events cannot be had any more (the outbox was trimmed) or when the store may
have been rolled back (the epoch changed). No reconnection is needed for it, which spares a restarted Redis the storm.
"""

import asyncio
import hashlib
import random
import secrets
import time
from collections.abc import Callable

import msgspec

from matchmaking.protocol import connection as protocol
from matchmaking.protocol.close_codes import CloseCode
from matchmaking.protocol.events import match_ready_decoder, rfc3339
from matchmaking.protocol.messages import GameStateUpdateData, HelloData, MatchFoundData, PartyUpdateData, QueuePlace, SnapshotData
from matchmaking.protocol.opening import Resume
from matchmaking.protocol.session_messages import SessionData
from matchmaking.store import values
from matchmaking.store.errors import StoreUnavailableError

from .errors import ShutOutError
from .events import match_found
from .hub import SHUT_OUT, Hub, Meanwhile
from .parties import current_party
from .session import Session
from .session_view import current_session
from .sign_in import Identity

RECENT_MATCH = 60.0  # s; a client that comes back later than this after its match was found is not told of it again
RESUME_BYTES = 24  # of a resume token
MakeSession = Callable[[protocol.Connection], Session]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def arrive(hub: Hub, identity: Identity, resume: Resume | None, make: MakeSession) -> Session:
    """Make a socket the player's one live connection, and tell the client how it stands.

    Raises:
        ShutOutError: the player is banned, or has signed out since the token was issued.
        StoreUnavailableError: the store cannot be reached.
    """
    player, epoch, token = identity.subject, await hub.current_epoch(), secrets.token_urlsafe(RESUME_BYTES)
    offered = _hash(resume.token) if resume else ""  # proves the client also where its numbers mean nothing any more
    seq = resume.seq if resume is not None and resume.epoch == epoch else None
    arrival = values.Arrival(epoch, _hash(token), offered, seq, identity.issued_ms)
    with hub.arriving(player) as meanwhile:
        await hub.bus.subscribe(player)
        try:
            state = await hub.store.take_over(player, hub.id, arrival)
            if state.status in ("banned", "signed_out"):
                raise ShutOutError(state.status, state.detail)
            waiting = await _waiting(hub, player, state)
            current, party = await asyncio.gather(current_session(hub.store, player), current_party(hub, player, anew=not state.resumed))
        except BaseException:
            hub.bus.unsubscribe(player)
            raise
        sent = seq if state.resumed and seq is not None else state.seq
        session = make(protocol.Connection(player, state.generation, sent, time.time(), hub.heartbeat_interval))
        hub.adopt(session)
        _greet(hub, session, state, _Greeting(sent, waiting, current, party, epoch, token))
        if state.missed:
            session.feed(protocol.Missed(state.missed))
        if state.resumed and current is not None:  # states have no numbers: the latest one says all
            session.send(GameStateUpdateData(current.session_id, current.state, rfc3339(time.time())))
        _catch_up(session, meanwhile)
    if epoch != await hub.current_epoch():
        hub.spawn(renew(hub, session))
    hub.arrived(player)
    return session


async def renew(hub: Hub, session: Session) -> None:
    """Begin a live session anew on its socket; tried until the store answers."""
    if session.renewing:
        return
    session.renewing, token = True, secrets.token_urlsafe(RESUME_BYTES)  # one token for all tries: by it the store knows a repeat
    try:
        while hub.sessions.get(session.player) is session and not session.connection.closing:
            try:
                await _renew(hub, session, token)
            except StoreUnavailableError:
                await asyncio.sleep(random.uniform(0.2, 0.6))
            else:
                return
    finally:
        session.renewing = False


async def _renew(hub: Hub, session: Session, token: str) -> None:
    with hub.arriving(session.player) as meanwhile:
        epoch = await hub.current_epoch()
        arrival = values.Arrival(epoch, _hash(token), issued_ms=session.issued_ms, renews=session.connection.generation)
        state = await hub.store.take_over(session.player, hub.id, arrival)
        waiting = await _waiting(hub, session.player, state)
        current = await current_session(hub.store, session.player)
        party = await current_party(hub, session.player, anew=not state.resumed)
        if state.status == "live":
            _greet(hub, session, state, _Greeting(state.seq, waiting, current, party, epoch, token))
            _catch_up(session, meanwhile)
        else:
            session.close(SHUT_OUT.get(state.status, CloseCode.REPLACED))


async def renew_all(hub: Hub) -> None:
    """The epoch changed: every session begins anew, a few at a time."""
    slots = asyncio.Semaphore(100)

    async def one(session: Session) -> None:
        async with slots:
            await renew(hub, session)

    await asyncio.gather(*(one(session) for session in list(hub.sessions.values())))


class _Greeting(msgspec.Struct, frozen=True):
    sent: int
    waiting: protocol.Waiting | None
    current: SessionData | None
    party: PartyUpdateData | None
    epoch: str
    token: str


def _greet(hub: Hub, session: Session, state: values.Takeover, how: _Greeting) -> None:
    """Without a pause, so that nothing comes between `hello`, `snapshot` and the events after them."""
    session.send(HelloData(session.player, hub.heartbeat_interval, how.epoch, how.sent, state.generation, state.resumed, how.token))
    if not state.resumed:
        match = None if how.waiting else _recent_match(session.player, state)
        session.send(SnapshotData(how.waiting.place if how.waiting else None, match, how.current, how.party))
    hub.parties.note(session.player, how.party)
    session.feed(protocol.Renewed(state.generation, how.sent, how.waiting))


def _catch_up(session: Session, meanwhile: Meanwhile) -> None:
    generation, code = meanwhile.superseded
    session.feed(protocol.Superseded(generation, code))
    if meanwhile.seq > session.connection.sent:
        session.feed(protocol.Resync())


async def _waiting(hub: Hub, player: str, state: values.Takeover) -> protocol.Waiting | None:
    if state.held is None:
        return None
    held, fate = state.held, await hub.store.look(state.held, player)
    if fate == values.Fate("cancelled", values.LOST):
        return None
    hub.spawn(hub.store.touch(held.pool, [held.ticket]))
    hub.refresh_positions(held.pool, held.region, held.mode)
    since = (
        float(fate.detail) / 1000 if fate.status == "waiting" else time.time()
    )  # else it has ended, and the event that says so is on its way
    return protocol.Waiting(QueuePlace(held.ticket, held.pool, held.region, held.mode), since)


def _recent_match(player: str, state: values.Takeover) -> MatchFoundData | None:
    if not state.match_data:
        return None
    ready = match_ready_decoder.decode(state.match_data)
    return match_found(player, ready) if rfc3339(time.time() - RECENT_MATCH) < ready.timestamp else None
