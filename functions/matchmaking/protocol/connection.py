"""One client connection after sign-in, as a pure function: what happened goes in, what to do comes out.

    open ──Tick after two missed heartbeats──▶ closing (4408)
    open ──Superseded by a newer generation──▶ closing (4409; 4410 or 4411 if the player was shut out)
    open ──too many bad messages────────────▶ closing (4400)
    open ──goes on over a limit─────────────▶ closing (4429)
    open ──the outbox lacks what was missed──▶ renewed on the same socket: `hello`, `snapshot`

Events of the player's outbox go to the socket strictly by their numbers: the next number is delivered, a smaller one is a repeat and is dropped, a larger
one means that a publication was lost, so the outbox is read from the last number that was sent. The outbox is the truth; the bus only saves time.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, get_args

from msgspec import Struct
from msgspec.structs import replace

from .close_codes import CloseCode
from .effects import *
from .events import MATCH_READY, TICKET_ENDED, StoredEvent, rfc3339
from .happenings import *
from .messages import (
    Ack,
    ErrorData,
    Heartbeat,
    HeartbeatAckData,
    PartyMessage,
    QueueJoin,
    QueueJoinedData,
    QueueLeave,
    QueueUpdateData,
)
from .session_messages import MatchAccept, MatchDecline

BAD_MESSAGES = 10  # within BAD_WINDOW; a client that sends more is broken or hostile
BAD_WINDOW = 60.0  # s
LIMITED_MESSAGES = 100  # within BAD_WINDOW; a client that was told to wait, and does not
MISSED_HEARTBEATS = 2
HELD = 8  # events that wait for the answer to a join; beyond, they are read from the outbox again


class Connection(Struct, frozen=True):
    """The state of one connection.

    Attributes:
        generation: which of the player's connections this is; scripts refuse older ones.
        sent: the number of the latest outbox event that went to the socket.
        last_heard: when the client last sent anything, seconds.
        heartbeat_interval: seconds.
        catching_up: an outbox read is under way.
        joining: how many joins wait for the store's answer; their tickets' ends are held back until the client has been told of the tickets.
        held: the next events, which came by the bus and wait for that answer.
        ahead: the largest number that came by the bus but could not go out yet.
        bad, limited: how many bad messages, and messages over a limit, there were since a moment.
    """

    player: str
    generation: int
    sent: int
    last_heard: float
    heartbeat_interval: float
    waiting: Waiting | None = None
    catching_up: bool = False
    joining: int = 0
    held: tuple[StoredEvent, ...] = ()
    ahead: int = 0
    bad: tuple[int, float] = (0, 0.0)
    limited: tuple[int, float] = (0, 0.0)
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
    return (connection, ()) if connection.closing else _STEPS[type(event)](connection, event, now)


def _received(connection: Connection, event: Received, now: float) -> Step:
    return _MESSAGES[type(event.message)](replace(connection, last_heard=now), event.message, now)


def _acknowledged(connection: Connection, message: Ack, now: float) -> Step:
    seq = message.data.seq
    if seq > connection.sent:
        return _bad(connection, ErrorData("invalid_ack", f"seq {seq} was never sent here; the latest is {connection.sent}"), now)
    return connection, (TrimOutbox(seq),)


def _limited(connection: Connection, event: Limited, now: float) -> Step:
    connection = replace(connection, limited=_recent(connection.limited, now), last_heard=now)
    if connection.limited[0] > LIMITED_MESSAGES:
        return _close(connection, CloseCode.RATE_LIMITED)
    text = f"too many messages; wait {event.retry_after:g} s, then repeat this one"
    return connection, (Send(ErrorData("rate_limited", text, event.op_id, event.retry_after)),)


def _bad(connection: Connection, error: ErrorData, now: float) -> Step:
    connection = replace(connection, bad=_recent(connection.bad, now), last_heard=now)
    if connection.bad[0] > BAD_MESSAGES:
        return _close(connection, CloseCode.PROTOCOL_ABUSE)
    return connection, (Send(error),)


def _recent(count: tuple[int, float], now: float) -> tuple[int, float]:
    """One more within the window, or the first of a new one."""
    many, since = count
    return (1, now) if now - since > BAD_WINDOW else (many + 1, since)


def _refused(connection: Connection, event: Refused, _: float) -> Step:
    connection, late = _join_answered(connection) if event.join else (connection, ())
    return connection, (Send(event.error), *late)


def _superseded(connection: Connection, event: Superseded, _: float) -> Step:
    return _close(connection, event.code) if event.generation > connection.generation else (connection, ())


def _renewed(connection: Connection, event: Renewed, _: float) -> Step:
    began = replace(connection, generation=event.generation, sent=event.sent, waiting=event.waiting, catching_up=False, held=(), ahead=0)
    return began, ()


def _ticked(connection: Connection, _: Tick, now: float) -> Step:
    silent = now - connection.last_heard > MISSED_HEARTBEATS * connection.heartbeat_interval
    return _close(connection, CloseCode.HEARTBEAT_TIMEOUT) if silent else (connection, ())


def _joined(connection: Connection, event: Joined, now: float) -> Step:
    place = event.place
    joined = QueueJoinedData(place.ticket_id, place.pool, place.region, place.mode, event.op_id)
    connection = replace(connection, waiting=Waiting(place, event.enqueued))
    connection, update = _looked(connection, Looked(place.ticket_id, event.position, event.waiting, event.estimated_wait, None), now)
    connection, late = _join_answered(connection)
    return connection, (Send(joined), *update, *late)


def _party_waits(connection: Connection, event: PartyWaits, _: float) -> Step:
    place = event.place
    if connection.waiting is not None and connection.waiting.place.ticket_id == place.ticket_id:
        return connection, ()  # the leader's own connection was told by the answer to its join
    joined = QueueJoinedData(place.ticket_id, place.pool, place.region, place.mode)
    return replace(connection, waiting=Waiting(place, event.enqueued)), (Send(joined),)


def _join_answered(connection: Connection) -> Step:
    connection = replace(connection, joining=connection.joining - 1)
    if connection.joining:
        return connection, ()
    connection, effects = _deliver_all(replace(connection, held=()), connection.held) if connection.held else (connection, ())
    if connection.ahead > connection.sent:
        connection, more = _catch_up(connection)
        effects += more
    return connection, effects


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


def _published(connection: Connection, published: Published, _: float) -> Step:
    event = published.event
    if event.seq <= connection.sent:
        return connection, ()  # a repeat
    if connection.catching_up or connection.joining:
        held, ahead = connection.held, max(connection.ahead, event.seq)
        if not connection.catching_up and len(held) < HELD and event.seq == connection.sent + len(held) + 1:
            held = (*held, event)
        return replace(connection, held=held, ahead=ahead), ()
    if event.seq > connection.sent + 1:
        return _catch_up(connection)
    return _deliver(connection, event)


def _outbox_read(connection: Connection, read: OutboxRead, _: float) -> Step:
    if read.generation > connection.generation:
        return _close(connection, CloseCode.REPLACED)  # the message that said so was lost
    if read.generation < connection.generation or read.latest - connection.sent != len(read.events):
        return connection, (Renew(),)  # rolled back, or trimmed: what is missing cannot be had any more
    connection, effects = _deliver_all(replace(connection, catching_up=False), read.events)
    if effects and connection.ahead > connection.sent:  # something came while the read was under way
        connection, again = _catch_up(connection)
        effects += again
    return connection, effects


def _deliver_all(connection: Connection, events: tuple[StoredEvent, ...]) -> Step:
    effects: tuple[Effect, ...] = ()
    for event in events:
        if event.seq > connection.sent:
            connection, more = _deliver(connection, event)
            effects += more
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


# What happens on an open connection, and what follows from it; a new kind of event or message is one line here.
_STEPS: dict[type, Callable[[Connection, Any, float], Step]] = {
    Received: _received,
    Malformed: lambda connection, event, now: _bad(connection, ErrorData(event.code, event.text), now),
    Limited: _limited,
    Joined: _joined,
    PartyWaits: _party_waits,
    Refused: _refused,
    Published: _published,
    Missed: lambda connection, event, _: _deliver_all(connection, event.events),
    OutboxRead: _outbox_read,
    Looked: _looked,
    Resync: lambda connection, _, __: _catch_up(connection),
    Superseded: _superseded,
    Renewed: _renewed,
    Tick: _ticked,
}

_MESSAGES: dict[type, Callable[[Connection, Any, float], Step]] = {
    Heartbeat: lambda connection, _, now: (connection, (Send(HeartbeatAckData(rfc3339(now))),)),
    QueueJoin: lambda connection, message, _: (replace(connection, joining=connection.joining + 1), (JoinQueue(message.data),)),
    QueueLeave: lambda connection, message, _: (connection, (LeaveQueue(message.data.op_id),)),
    MatchAccept: lambda connection, message, _: (connection, (AnswerMatch(message.data, True),)),
    MatchDecline: lambda connection, message, _: (connection, (AnswerMatch(message.data, False),)),
    **dict.fromkeys(get_args(PartyMessage), lambda connection, message, _: (connection, (AskParty(message),))),
    Ack: _acknowledged,
}
