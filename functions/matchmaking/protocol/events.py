"""What travels on the bus between matchers, gateways and other services: the contract of the Redis channels.

Each publication is `{"channel": …, "message": {"type": …, "data": {…}, "timestamp": RFC 3339}}`. On `player:<id>:updates` the message also has `seq`, the
event's number in that player's outbox.
"""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from msgspec import Struct

from .messages import TeamData

MATCH_READY = "match_ready"
TICKET_ENDED = "ticket_ended"
QUEUE_UPDATE = "queue_update"
SESSION_UPDATE = "session_update"
PARTY_UPDATE = "party_update"  # data: the client protocol's PartyUpdateData
ANNOUNCEMENT = "announcement"


class MatchReadyData(Struct, frozen=True):
    """A match was committed; the same data go to each of its players.

    Attributes:
        waited: ticket id → seconds it waited.
        tickets: player id → ticket id.
        accept_by: until when to accept, if the pool asks for a ready check.
        traces: ticket id → W3C `traceparent` of its join; absent if none is traced.
    """

    match_id: str
    pool: str
    region: str
    mode: str
    teams: list[TeamData]
    quality: float
    timestamp: str
    tickets: dict[str, str]
    waited: dict[str, float]
    gap: float = 0.0
    imbalance: float = 0.0
    why: str = ""
    accept_by: str | None = None
    traces: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class TicketEndedData(Struct, frozen=True):
    """A ticket ended without a match."""

    ticket_id: str
    pool: str
    region: str
    mode: str
    reason: str
    op_id: str = ""


class QueueStatusData(Struct, frozen=True):
    """How a queue stands, after a round."""

    pool: str
    region: str
    mode: str
    waiting: int
    matchers: int


class Message(Struct, frozen=True):
    """The inner part of a publication; `data` is decoded by who knows the type."""

    type: str
    data: msgspec.Raw
    timestamp: str
    seq: int | None = None


class Publication(Struct, frozen=True):
    """The whole of a publication."""

    channel: str
    message: Message


class StoredEvent(Struct, frozen=True):
    """One entry of a player's outbox."""

    seq: int
    type: str
    data: bytes
    timestamp: str


@lru_cache(maxsize=64)  # all that a round does, it does at one moment
def rfc3339(seconds: float) -> str:
    """A moment as RFC 3339 in UTC with milliseconds, for example `2031-05-06T07:08:09.123Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


publication_decoder = msgspec.json.Decoder(Publication)
match_ready_decoder = msgspec.json.Decoder(MatchReadyData)
ticket_ended_decoder = msgspec.json.Decoder(TicketEndedData)
