"""What a transition of a session does elsewhere: to its players, their tickets and ratings, and to its pool's queue.

A session is written together with the effects that follow from it; a relay carries them out afterwards, each idempotent, in order, at least once.
"""

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from .ticket import Ticket


class Tell(Struct, frozen=True, omit_defaults=True, tag="tell"):
    """The session's players get a numbered event with its state.

    Attributes:
        players: player id → the ticket with which the player came.
        then: what it means for them: `free` to queue again, `hold` (cannot queue), or nothing new.
        own: what only one player is told, by player.
    """

    players: dict[str, str]
    state: dict[str, Any]
    then: Literal["", "free", "hold"] = ""
    own: dict[str, dict[str, Any]] = {}


class GiveBack(Struct, frozen=True, omit_defaults=True, tag="give_back"):
    """A ticket goes back into its queue, under a new id, as old as it was; its players are told.

    Attributes:
        old: its id so far.
    """

    ticket: Ticket
    old: str
    reason: str


class Dismiss(Struct, frozen=True, omit_defaults=True, tag="dismiss"):
    """A player's ticket ends with the session; `penalty`: a step up the pool's ladder of cooldowns, in seconds."""

    player: str
    ticket: str
    reason: str
    penalty: tuple[float, ...] = ()


class Rate(Struct, frozen=True, omit_defaults=True, tag="rate"):
    """A player's rating changes; opponents and the outcome are noted.

    Attributes:
        outcome: as the player sees it.
        before, after: mu, sigma, volatility; the same if the match is not rated.
        opponents: newest first.
        record: the entry of the player's history, as JSON.
    """

    player: str
    outcome: Literal["won", "lost", "drawn", "abandoned"]
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    opponents: tuple[str, ...]
    record: str


class Ask(Struct, frozen=True, tag="ask"):
    """A backfill ticket begins to wait."""

    ticket: Ticket


class Withdraw(Struct, frozen=True, tag="withdraw"):
    """A backfill ticket is not needed any more."""

    ticket: str


Effect: TypeAlias = Tell | GiveBack | Dismiss | Rate | Ask | Withdraw
