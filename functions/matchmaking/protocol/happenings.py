"""What can happen on a connection: the events that `connection.step` takes."""

from typing import TypeAlias

from msgspec import Struct

from .events import StoredEvent
from .messages import ClientMessage, ErrorData, QueuePlace, Why


class Received(Struct, frozen=True):
    """The client sent a well-formed message."""

    message: ClientMessage


class Malformed(Struct, frozen=True):
    """The client sent something else."""

    code: str
    text: str


class Joined(Struct, frozen=True):
    """The store says: the ticket waits."""

    place: QueuePlace
    op_id: str
    position: int
    waiting: int
    enqueued: float
    estimated_wait: float | None


class Refused(Struct, frozen=True):
    """The store, the pool's rules or a limit says no (`join`: to a `queue_join`)."""

    error: ErrorData
    join: bool = False


class Published(Struct, frozen=True):
    """An outbox event came by the bus (or from the delivery that this gateway did itself)."""

    event: StoredEvent


class OutboxRead(Struct, frozen=True):
    """The outbox after `sent`, in order; possibly nothing."""

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
    """The player connected elsewhere, as this generation."""

    generation: int


class Tick(Struct, frozen=True):
    """Time passed."""


Event: TypeAlias = Received | Malformed | Joined | Refused | Published | OutboxRead | Looked | Resync | Superseded | Tick
