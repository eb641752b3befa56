"""What can happen to a session, and what comes of it: `session_step.step` has the rules.

Every event may come again (its sender may have died before it heard the answer): then the session stays as it is, and the answer is the same.
"""

from typing import TypeAlias

from msgspec import Struct

from .session import Arrival, Result, Session
from .session_effects import Effect, Rate


class Accept(Struct, frozen=True):
    """A player accepts."""

    player: str


class Decline(Struct, frozen=True):
    """A player declines."""

    player: str


class Due(Struct, frozen=True):
    """Time passed.

    Attributes:
        cut_off: players who could not answer because their gateway died → when it still lived, seconds since the epoch.
    """

    cut_off: dict[str, float] = {}


class Attempt(Struct, frozen=True):
    """Somebody is about to ask for a server."""


class Allocated(Struct, frozen=True):
    """There is a server; `connection` is JSON."""

    connection: str


class Unallocated(Struct, frozen=True):
    """An attempt failed; `final`: another one would, too."""

    final: bool = False


class Reported(Struct, frozen=True):
    """The server speaks for the first time."""


class Gone(Struct, frozen=True):
    """The server says that a player is disconnected."""

    player: str


class Returned(Struct, frozen=True):
    """The server says that a player is there again."""

    player: str


class Finished(Struct, frozen=True):
    """The server posts the result; `rates` is what follows for the players."""

    result: Result
    rates: tuple[Rate, ...] = ()


class CalledOff(Struct, frozen=True):
    """The server gives the match up without a result."""


class Cancel(Struct, frozen=True):
    """An operator, or the server, cancels it."""


class Fill(Struct, frozen=True):
    """The server asks for more players."""


class StopFilling(Struct, frozen=True):
    """The server asks for no more, or the backfill ticket has ended."""


Event: TypeAlias = (
    Accept
    | Decline
    | Due
    | Attempt
    | Allocated
    | Unallocated
    | Reported
    | Gone
    | Returned
    | Finished
    | CalledOff
    | Cancel
    | Fill
    | StopFilling
    | Arrival
)


class Step(Struct, frozen=True):
    """The session after an event.

    Attributes:
        answer: `ok`, or why nothing happened: `over`, `too_late`, `not_yours`, `contradiction`, `not_playing`, `off`, `full`, `not_due`.
    """

    session: Session
    answer: str = "ok"
    effects: tuple[Effect, ...] = ()
