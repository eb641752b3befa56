"""The messages about a match that was found: the ready check, and what becomes of the session."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

MATCH_CANCELLED = "match_cancelled"  # the event's type on the bus and in the outbox, too


class MatchAnswerData(Struct, frozen=True):
    """Which match."""

    match_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    op_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{0,64}$")] = ""


class MatchAccept(Struct, frozen=True, tag="match_accept"):
    """Accept a match that was found."""

    data: MatchAnswerData


class MatchDecline(Struct, frozen=True, tag="match_decline"):
    """Decline a match that was found."""

    data: MatchAnswerData


class MatchCancelledData(Struct, frozen=True):
    """A match comes to nothing; `requeued`: the player waits again, as `ticket_id`, with the whole waiting time.

    Attributes:
        retry_after: seconds during which the player cannot queue in this pool.
        waited: seconds so far, if the player waits again.
    """

    match_id: str
    reason: Literal["declined", "timeout", "allocation_failed", "cancelled"]
    requeued: bool
    ticket_id: str | None = None
    retry_after: float | None = None
    pool: str = ""
    region: str = ""
    mode: str = ""
    waited: float = 0.0


class SessionData(Struct, frozen=True):
    """The session that a player is in."""

    session_id: str
    state: dict[str, Any]
