"""What can happen on a connection: the events that `connection.step` takes."""

from typing import TypeAlias

from msgspec import Struct

from .close_codes import CloseCode
from .events import StoredEvent
from .messages import ClientMessage, ErrorData, QueuePlace, Why


class Waiting(Struct, frozen=True):
    """The ticket that a connection knows of; `shown` is the last update that went out, to send only what changed."""

    place: QueuePlace
    enqueued: float
    shown: tuple[int, int, str] = (0, 0, "")
    shown_at: float = 0.0


class Received(Struct, frozen=True):
    """The client sent a well-formed message."""

    message: ClientMessage


class Malformed(Struct, frozen=True):
    """The client sent something else."""

    code: str
    text: str


class Limited(Struct, frozen=True):
    """The client sent a message over a limit; it is not carried out."""

    retry_after: float
    op_id: str = ""


class Joined(Struct, frozen=True):
    """The store says: the ticket waits."""

    place: QueuePlace
    op_id: str
    position: int
    waiting: int
    enqueued: float
    estimated_wait: float | None


class PartyWaits(Struct, frozen=True):
    """The party's leader queued it: the player's ticket waits since then (seconds)."""

    place: QueuePlace
    enqueued: float


class Refused(Struct, frozen=True):
    """The store, the pool's rules or a limit says no (`join`: to a `queue_join`)."""

    error: ErrorData
    join: bool = False


class Published(Struct, frozen=True):
    """An outbox event came by the bus (or from the delivery that this gateway did itself)."""

    event: StoredEvent


class OutboxRead(Struct, frozen=True):
    """The outbox after `sent`, in order; possibly nothing.

    Attributes:
        latest: the number of the player's latest event.
        generation: that of the player's live connection.
    """

    events: tuple[StoredEvent, ...]
    latest: int
    generation: int


class Missed(Struct, frozen=True):
    """What a client that resumes has missed: the events right after `sent`, in order."""

    events: tuple[StoredEvent, ...]


class Looked(Struct, frozen=True):
    """How the ticket stands in its queue; `position` 0 if it no longer waits."""

    ticket_id: str
    position: int
    waiting: int
    estimated_wait: float | None
    reason: Why | None


class Resync(Struct, frozen=True):
    """The bus may have lost something: look into the outbox."""


class Superseded(Struct, frozen=True):
    """The player connected elsewhere, as this generation; or was shut out, which `code` says."""

    generation: int
    code: CloseCode = CloseCode.REPLACED


class Renewed(Struct, frozen=True):
    """The session began anew on the same socket, after event `sent`."""

    generation: int
    sent: int
    waiting: Waiting | None


class Tick(Struct, frozen=True):
    """Time passed."""


Event: TypeAlias = (
    Received
    | Malformed
    | Limited
    | Joined
    | PartyWaits
    | Refused
    | Published
    | Missed
    | OutboxRead
    | Looked
    | Resync
    | Superseded
    | Renewed
    | Tick
)
