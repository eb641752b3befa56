"""Every message of the client protocol `gsm.v1`, typed. Decoding is validation.

A frame is a JSON text `{"type": …, "data": {…}, "seq"?: n}` of at most 16 KiB. `seq` numbers the events that are delivered at least once and in
order; replies and advice have none. Fields that a receiver does not know are ignored, so that either side may grow.
"""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct, field

SUBPROTOCOL = "gsm.v1"
TICKET_SUBPROTOCOL_PREFIX = "ticket."  # browsers: the single-use sign-in ticket travels as a second subprotocol
MAX_MESSAGE_BYTES = 16 * 1024

OperationId: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.:-]{0,64}$",
        description="Chosen by the client; within one session the same operation id has its effect once.",
    ),
]
Label: TypeAlias = Annotated[str, Meta(min_length=1, max_length=63)]
Latency: TypeAlias = Annotated[dict[Label, Annotated[float, Meta(ge=0, le=10_000)]], Meta(max_length=64)]
AttributeValue: TypeAlias = (
    float | Annotated[str, Meta(max_length=100)] | Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=64)]
)
Attributes: TypeAlias = Annotated[dict[Annotated[str, Meta(min_length=1, max_length=40)], AttributeValue], Meta(max_length=32)]
Roles: TypeAlias = Annotated[list[Label], Meta(max_length=16)]


# --- from the client -------------------------------------------------------------------------------------------------------------------------------


class QueueJoinData(Struct, frozen=True):
    """Which queue to wait in.

    Attributes:
        region, mode: may be left out if the player's preferences name them.
        latency: measured round-trip milliseconds by region.
        roles: the roles that the player takes; none means any.
        attributes: what the pool's comparison and intersection rules look at.
    """

    pool: Label
    region: Label | None = None
    mode: Label | None = None
    op_id: OperationId = ""
    latency: Latency = {}
    roles: Roles = []
    attributes: Attributes = {}


class QueueLeaveData(Struct, frozen=True):
    """Leaving needs no more than who asks."""

    op_id: OperationId = ""


class AckData(Struct, frozen=True):
    """The last event that the client has dealt with; the server may forget it and those before."""

    seq: Annotated[int, Meta(ge=0)]


class Nothing(Struct, frozen=True):
    """A message that says all by its type."""


class QueueJoin(Struct, frozen=True, tag="queue_join"):
    """Wait in a queue."""

    data: QueueJoinData


class QueueLeave(Struct, frozen=True, tag="queue_leave"):
    """Stop waiting."""

    data: QueueLeaveData = QueueLeaveData()


class Ack(Struct, frozen=True, tag="ack"):
    """Events up to `seq` have arrived."""

    data: AckData


class Heartbeat(Struct, frozen=True, tag="heartbeat"):
    """A sign of life."""

    data: Nothing = Nothing()


ClientMessage: TypeAlias = QueueJoin | QueueLeave | Ack | Heartbeat
CLIENT_TYPES = ("queue_join", "queue_leave", "ack", "heartbeat")


# --- to the client ---------------------------------------------------------------------------------------------------------------------------------


class HelloData(Struct, frozen=True):
    """The connection is live.

    Attributes:
        player_id: as whom.
        heartbeat_interval: seconds; the client sends a heartbeat at least that often.
        epoch: names the store's history; numbers of another epoch mean nothing.
        seq: the number of the latest event before this connection.
        generation: how many connections this player has had.
        resumed: whether missed events follow; if not, a snapshot follows where there is anything to tell.
    """

    player_id: str
    heartbeat_interval: float
    epoch: str
    seq: int
    generation: int
    resumed: bool = False


class QueuePlace(Struct, frozen=True):
    """Where a ticket waits."""

    ticket_id: str
    pool: str
    region: str
    mode: str


class QueueJoinedData(QueuePlace, frozen=True):
    """The answer to `queue_join`: the ticket waits and will have exactly one end."""

    op_id: str = ""


class Why(Struct, frozen=True, omit_defaults=True):
    """Why a ticket still waits.

    Attributes:
        rule: the rule that blocked most candidates, or `players` where there are too few.
        message: the same for people.
        next_change: seconds until the ticket's windows widen next.
    """

    rule: str
    message: str = ""
    next_change: float | None = None


class QueueUpdateData(QueuePlace, frozen=True):
    """How the waiting goes.

    Attributes:
        position: 1 is next in line by waiting time (matching goes by fit, so it is a hint).
        waiting: tickets in this queue.
        waited: seconds so far.
        estimated_wait: seconds still to wait, from this queue's recent matches; null before there were any.
        reason: why the ticket still waits, once a matcher has looked at it.
    """

    position: int
    waiting: int
    waited: float
    estimated_wait: float | None = None
    reason: Why | None = None


class QueueLeftData(QueuePlace, frozen=True):
    """The ticket's end without a match: `left`, `expired`, `disconnected`, `quarantined` or `pool_deleted`."""

    reason: str
    op_id: str = ""


class TeamData(Struct, frozen=True):
    """One team of a match."""

    name: str
    players: list[str]
    win_chance: float | None = None


class MatchFoundData(Struct, frozen=True):
    """The ticket's end with a match.

    Attributes:
        opponent: the other side: in a duel the player's id, between two teams the other team's name; null with more than two sides.
        timestamp: when the match was committed, RFC 3339.
        quality: 0 to 1.
        waited: seconds in the queue.
        accept_by: until when to accept (RFC 3339); null if the pool asks for no ready check.
    """

    match_id: str
    opponent: str | None
    timestamp: str
    teams: list[TeamData]
    pool: str
    region: str
    mode: str
    ticket_id: str
    quality: float
    waited: float
    accept_by: str | None = None


class SnapshotData(Struct, frozen=True):
    """The player's state, whole: what a client needs when it cannot resume."""

    ticket: QueuePlace | None = None
    match: MatchFoundData | None = None


class ErrorData(Struct, frozen=True):
    """A request that was not carried out.

    Attributes:
        code: stable word, see the error table.
        message: what is wrong and what to do.
        op_id: of the request, if it had one.
        retry_after: seconds after which the same request may work; null if it never will.
    """

    code: str
    message: str
    op_id: str = ""
    retry_after: float | None = None


class AnnouncementData(Struct, frozen=True):
    """News for everybody."""

    message: str
    level: str = "info"
    timestamp: str = ""


class GameStateUpdateData(Struct, frozen=True):
    """A live session's state changed."""

    session_id: str
    state: dict[str, object]
    timestamp: str


class HeartbeatAckData(Struct, frozen=True):
    """The answer to `heartbeat`; `timestamp` is the server's clock, RFC 3339."""

    timestamp: str


class ReconnectData(Struct, frozen=True):
    """The gateway is going away: connect again after `retry_after` seconds."""

    retry_after: float


ServerData: TypeAlias = (
    HelloData
    | SnapshotData
    | QueueJoinedData
    | QueueUpdateData
    | QueueLeftData
    | MatchFoundData
    | GameStateUpdateData
    | AnnouncementData
    | ErrorData
    | HeartbeatAckData
    | ReconnectData
)

SERVER_TYPES: dict[type[Struct], str] = {
    HelloData: "hello",
    SnapshotData: "snapshot",
    QueueJoinedData: "queue_joined",
    QueueUpdateData: "queue_update",
    QueueLeftData: "queue_left",
    MatchFoundData: "match_found",
    GameStateUpdateData: "game_state_update",
    AnnouncementData: "announcement",
    ErrorData: "error",
    HeartbeatAckData: "heartbeat_ack",
    ReconnectData: "reconnect",
}


class Frame(Struct, frozen=True, omit_defaults=True):
    """A server message as it goes over the wire."""

    type: str
    data: ServerData | msgspec.Raw
    seq: int | None = None


class IncomingFrame(Struct, frozen=True):
    """A server message as a client reads it, its data not yet decoded."""

    type: str
    data: msgspec.Raw = field(default_factory=lambda: msgspec.Raw(b"{}"))
    seq: int | None = None


class _Typed(Struct, frozen=True):
    type: msgspec.Raw = field(default_factory=lambda: msgspec.Raw(b"null"))


_decoder = msgspec.json.Decoder(ClientMessage)
_type_decoder = msgspec.json.Decoder(_Typed)
_encoder = msgspec.json.Encoder()


class BadMessageError(Exception):
    """A frame that is no message; `code` and the text go to the client as an `error`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def decode(text: str | bytes) -> ClientMessage:
    """Read a client's frame.

    Raises:
        BadMessageError: `invalid_json`, `unknown_type`, `invalid_message` (a field is missing, has a wrong type or is out of bounds), or
            `message_too_big`.
    """
    if len(text) > MAX_MESSAGE_BYTES:
        raise BadMessageError("message_too_big", f"a message has at most {MAX_MESSAGE_BYTES} bytes")
    try:
        message: ClientMessage = _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _explain(text, str(error)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadMessageError("invalid_json", f"not a JSON text: {str(error)[:200]}") from error
    return message


def _explain(text: str | bytes, problem: str) -> BadMessageError:
    try:
        kind = _type_decoder.decode(text).type
    except msgspec.MsgspecError:
        return BadMessageError("invalid_message", 'a message is an object: {"type": …, "data": {…}}')
    name = bytes(kind)
    if name == b"null" or not name.startswith(b'"'):
        return BadMessageError("invalid_message", '`type` is missing or no string; a message is {"type": …, "data": {…}}')
    if name not in {f'"{known}"'.encode() for known in CLIENT_TYPES}:
        return BadMessageError("unknown_type", f"unknown type {name[:42].decode(errors='replace')}; known are {', '.join(CLIENT_TYPES)}")
    return BadMessageError("invalid_message", problem[:300])


def encode(data: ServerData, seq: int | None = None) -> str:
    """Write a server's frame."""
    return _encoder.encode(Frame(SERVER_TYPES[type(data)], data, seq)).decode()
