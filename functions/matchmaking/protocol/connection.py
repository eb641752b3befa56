"""One client connection after sign-in, as a pure function: what happened goes in, what to do comes out.

    open ──Tick after two missed heartbeats──▶ closing (4408)
    open ──Superseded by a newer generation──▶ closing (4409)
    open ──too many bad messages────────────▶ closing (4400)

Events of the player's outbox go to the socket strictly by their numbers: the next number is delivered, a smaller one is a repeat and is dropped, a larger
one means that a publication was lost, so the outbox is read from the last number that was sent. The outbox is the truth; the bus only saves time.
"""

from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from .close_codes import CloseCode
from .effects import *
from .events import MATCH_READY, TICKET_ENDED, StoredEvent, rfc3339
from .happenings import Event, Joined, Looked, Malformed, OutboxRead, Published, Received, Refused, Resync, Superseded, Tick
from .messages import (
    Ack,
    ClientMessage,
    ErrorData,
    Heartbeat,
    HeartbeatAckData,
    QueueJoin,
    QueueJoinedData,
    QueueLeave,
    QueuePlace,
    QueueUpdateData,
)
from .session_messages import MatchAccept, MatchDecline

BAD_MESSAGES = 10  # within BAD_WINDOW; a client that sends more is broken or hostile
BAD_WINDOW = 60.0  # s
MISSED_HEARTBEATS = 2


class Waiting(Struct, frozen=True):
    """The ticket that this connection knows of; `shown` is the last update that went out, to send only what changed."""

    place: QueuePlace
    enqueued: float
    shown: tuple[int, int, str] = (0, 0, "")
    shown_at: float = 0.0


class Connection(Struct, frozen=True):
    """The state of one connection.

    Attributes:
        generation: which of the player's connections this is; scripts refuse older ones.
        sent: the number of the latest outbox event that went to the socket.
        last_heard: when the client last sent anything, seconds.
        heartbeat_interval: seconds.
        catching_up: an outbox read is under way.
        joining: how many joins wait for the store's answer; their tickets' ends are held back until the client has been told of the tickets.
        ahead: the largest number that came by the bus but could not go out yet.
    """

    player: str
    generation: int
    sent: int
    last_heard: float
    heartbeat_interval: float
    waiting: Waiting | None = None
    catching_up: bool = False
    joining: int = 0
    ahead: int = 0
    bad: int = 0
    bad_since: float = 0.0
    closing: bool = False


Step: TypeAlias = tuple[Connection, tuple[Effect, ...]]

UPDATE_EVERY = 10.0  # s; an unchanged queue_update is repeated this often, so that `waited` on the screen stays true


def step(connection: Connection, event: Event, now: float) -> Step:
    """Advance a connection by one event.

    Args:
        now: seconds since the epoch.

    Returns:
        the new state, and what to do, in order.
    """
    if connection.closing:
        return connection, ()
    match event:
        case Received(message):
            return _received(replace(connection, last_heard=now), message, now)
        case Published(stored):
            return _published(connection, stored)
        case Looked():
            return _looked(connection, event, now)
        case Malformed(code, text):
            return _malformed(replace(connection, last_heard=now), ErrorData(code, text), now)
        case Joined():
            return _joined(connection, event, now)
        case Refused(error, join):
            connection, late = _join_answered(connection) if join else (connection, ())
            return connection, (Send(error), *late)
        case OutboxRead(events):
            return _outbox_read(connection, events)
        case Resync():
            return _catch_up(connection)
        case Superseded(generation):
            return _close(connection, CloseCode.REPLACED) if generation > connection.generation else (connection, ())
        case Tick():
            silent = now - connection.last_heard > MISSED_HEARTBEATS * connection.heartbeat_interval
            return _close(connection, CloseCode.HEARTBEAT_TIMEOUT) if silent else (connection, ())


def _received(connection: Connection, message: ClientMessage, now: float) -> Step:
    match message:
        case Heartbeat():
            return connection, (Send(HeartbeatAckData(rfc3339(now))),)
        case QueueJoin(data):
            return replace(connection, joining=connection.joining + 1), (JoinQueue(data),)
        case QueueLeave(data):
            return connection, (LeaveQueue(data.op_id),)
        case MatchAccept(data) | MatchDecline(data):
            return connection, (AnswerMatch(data, isinstance(message, MatchAccept)),)
        case Ack(data):
            if data.seq > connection.sent:
                error = ErrorData("invalid_ack", f"seq {data.seq} was never sent here; the latest is {connection.sent}")
                return _malformed(connection, error, now)
            return connection, (TrimOutbox(data.seq),)


def _malformed(connection: Connection, error: ErrorData, now: float) -> Step:
    fresh = now - connection.bad_since > BAD_WINDOW
    connection = replace(connection, bad=1 if fresh else connection.bad + 1, bad_since=now if fresh else connection.bad_since)
    if connection.bad > BAD_MESSAGES:
        return _close(connection, CloseCode.PROTOCOL_ABUSE)
    return connection, (Send(error),)


def _joined(connection: Connection, event: Joined, now: float) -> Step:
    place = event.place
    joined = QueueJoinedData(place.ticket_id, place.pool, place.region, place.mode, event.op_id)
    connection = replace(connection, waiting=Waiting(place, event.enqueued))
    connection, update = _looked(connection, Looked(place.ticket_id, event.position, event.waiting, event.estimated_wait, None), now)
    connection, late = _join_answered(connection)
    return connection, (Send(joined), *update, *late)


def _join_answered(connection: Connection) -> Step:
    connection = replace(connection, joining=connection.joining - 1)
    late = connection.joining == 0 and connection.ahead > connection.sent
    return _catch_up(connection) if late else (connection, ())


def _looked(connection: Connection, event: Looked, now: float) -> Step:
    waiting = connection.waiting
    if waiting is None or waiting.place.ticket_id != event.ticket_id or event.position < 1:
        return connection, ()
    shown = (event.position, event.waiting, event.reason.rule if event.reason else "")
    if shown == waiting.shown and now - waiting.shown_at < UPDATE_EVERY:
        return connection, ()
    place, waited = waiting.place, max(0.0, now - waiting.enqueued)
    estimate = None if event.estimated_wait is None else round(max(0.0, event.estimated_wait - waited), 1)
    update = QueueUpdateData(
        place.ticket_id, place.pool, place.region, place.mode, event.position, event.waiting, round(waited, 1), estimate, event.reason
    )
    return replace(connection, waiting=replace(waiting, shown=shown, shown_at=now)), (Send(update),)


def _published(connection: Connection, event: StoredEvent) -> Step:
    if event.seq <= connection.sent:
        return connection, ()  # a repeat
    if connection.catching_up or connection.joining:
        return replace(connection, ahead=max(connection.ahead, event.seq)), ()
    if event.seq > connection.sent + 1:
        return _catch_up(connection)
    return _deliver(connection, event)


def _outbox_read(connection: Connection, events: tuple[StoredEvent, ...]) -> Step:
    connection = replace(connection, catching_up=False)
    effects: tuple[Effect, ...] = ()
    for event in events:
        if event.seq > connection.sent:
            connection, more = _deliver(connection, event)
            effects += more
    if effects and connection.ahead > connection.sent:  # something came while the read was under way
        connection, again = _catch_up(connection)
        effects += again
    return connection, effects


def _deliver(connection: Connection, event: StoredEvent) -> Step:
    ended = event.type in (MATCH_READY, TICKET_ENDED)
    return replace(connection, sent=event.seq, waiting=None if ended else connection.waiting), (Deliver(event),)


def _catch_up(connection: Connection) -> Step:
    if connection.catching_up:
        return connection, ()
    return replace(connection, catching_up=True), (ReadOutbox(connection.sent),)


def _close(connection: Connection, code: CloseCode) -> Step:
    return replace(connection, closing=True), (Close(code),)


def closing(connection: Connection) -> Connection:
    """The connection once it was decided, outside, that its socket closes: nothing happens on it any more."""
    return replace(connection, closing=True)
