"""What the store's functions for sessions return."""

from typing import Literal

import msgspec
from msgspec import Struct

from matchmaking.core.session import Arrival, Session
from matchmaking.core.session_effects import Effect

from .values import Place

session_encoder = msgspec.json.Encoder()
session_decoder = msgspec.json.Decoder(Session)
seed_decoder = msgspec.json.Decoder(Session | Arrival | None)
effect_decoder = msgspec.json.Decoder(Effect)


class SessionRead(Struct, frozen=True):
    """A session as it stood at `now` (the store's clock, seconds).

    Attributes:
        revision: 0 if there is no such session.
        version, data: the server's latest state (JSON), and how many there were.
        pending: effects not yet carried out.
    """

    now: float
    revision: int = 0
    session: Session | None = None
    version: int = 0
    data: bytes = b""
    pending: int = 0


class ServerState(Struct, frozen=True):
    """A server's latest state (JSON; empty: there is none), and how many there were.

    Attributes:
        mark: names who wrote it. Unlike the version it is never used twice, not even after Redis has lost its latest writes.
    """

    version: int = 0
    data: bytes = b""
    mark: str = ""


class StateWritten(Struct, frozen=True):
    """The answer to a server's state; `not_active`: for a transition first. The mark is the written state's."""

    status: Literal["written", "repeated", "conflict", "not_active", "unknown"]
    version: int = 0
    mark: str = ""


class PendingEffect(Struct, frozen=True):
    """An effect that is to be carried out, with its number within the session."""

    number: int
    effect: Effect


class Timer(Struct, frozen=True):
    """A match that was taken up, and its time as we left it, ms."""

    match: str
    token: int


class Requeue(Struct, frozen=True):
    """Where a player's ticket goes back to."""

    ticket: str
    pool: str
    region: str
    mode: str
    leader: str


class Noted(Struct, frozen=True):
    """What happened to a ticket.

    Attributes:
        at: seconds since the epoch.
        what: `joined`, `requeued`, `matched`, `ended`, `cancelled`, or the status that the match's session came to.
        detail: the queue, the ticket before, the match, or the reason.
    """

    at: float
    ticket: str
    what: str
    detail: str


class TicketState(Struct, frozen=True):
    """A player's ticket, as the player's slot knows it, and what happened lately, oldest first."""

    held: Place | None
    session: str
    history: tuple[Noted, ...]


class Profile(Struct, frozen=True, omit_defaults=True):
    """A player's numbers: for each `pool:mode`, mu, sigma and volatility; the latest opponents; counts."""

    player: str
    ratings: dict[str, tuple[float, float, float]] = {}
    recent: tuple[str, ...] = ()
    counts: dict[str, int] = {}
