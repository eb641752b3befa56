"""Tickets: what waits in a queue. Times are seconds since the epoch, as Redis' clock tells them."""

from msgspec import Struct


class Player(Struct, frozen=True, array_like=True, omit_defaults=True):
    """One player as the matching sees them.

    Attributes:
        id: the token's `sub`.
        rating: the mean of the belief about the player's skill in this mode.
        sigma: its standard deviation, in the same units.
        attributes: what comparison, intersection and distance rules look at.
        latency: round-trip milliseconds by region.
        recent: the latest opponents, newest first.
        blocked: players whom this one will not meet.
        roles: the roles that the player takes; empty means any.
    """

    id: str
    rating: float = 1500.0
    sigma: float = 500.0
    attributes: dict[str, float | str | list[str]] = {}
    latency: dict[str, float] = {}
    recent: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


class BackfillSlots(Struct, frozen=True, array_like=True):
    """A running match that looks for players.

    Attributes:
        match: its id.
        teams: team name (as in `TeamResult.name`) → the players who are already there.
    """

    match: str
    teams: dict[str, tuple[Player, ...]]


class Ticket(Struct, frozen=True, array_like=True, omit_defaults=True):
    """One party's (or lone player's) request to be matched; immutable while it waits.

    Attributes:
        id: names it for good; ids are never used again.
        region, mode: its queue within the pool.
        players: the party, leader first; never split. Empty only for a backfill ticket.
        enqueued: since when it waits, seconds since the epoch.
        head_start: seconds added to its waiting time for priority and expansions.
        backfill: set when a running match asks for players.
        trace: the W3C `traceparent` of the join that made it; empty if that is not traced.
    """

    id: str
    region: str
    mode: str
    players: tuple[Player, ...]
    enqueued: float
    head_start: float = 0.0
    backfill: BackfillSlots | None = None
    trace: str = ""

    def age(self, now: float) -> float:
        """How long it has waited, its head start included, in seconds; never negative."""
        return max(0.0, now - self.enqueued + self.head_start)
