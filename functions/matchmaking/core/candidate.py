"""What the search handles: tickets with their numbers of this round, and teams under construction."""

from .pool import PoolRules, Team
from .ticket import Player, Ticket


class Entry:
    """A ticket in a round.

    Attributes:
        ticket: the ticket itself.
        age: seconds waited, head start included, at the round's `now`.
        size: players; 0 for a backfill ticket.
        rating: the party's rating, as the pool aggregates it.
        place: where it is in the round's rating order.
    """

    __slots__ = ("age", "place", "rating", "size", "ticket")

    def __init__(self, ticket: Ticket, age: float, rating: float, place: int = 0) -> None:
        self.ticket = ticket
        self.age = age
        self.rating = rating
        self.size = len(ticket.players)
        self.place = place


def aggregate(values: list[float], how: str) -> float:
    """A party's number: the average, the greatest or the smallest of its players'."""
    if len(values) == 1:
        return values[0]
    if how == "max":
        return max(values)
    if how == "min":
        return min(values)
    return sum(values) / len(values)


def number_of(player: Player, attribute: str) -> float | None:
    """A player's number under that name; None if there is none, or it is no number."""
    if attribute == "rating":
        return player.rating
    value = player.attributes.get(attribute)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def ticket_number(ticket: Ticket, attribute: str, how: str) -> float | None:
    """A ticket's number: its players', aggregated; None if one of them has none."""
    values = []
    for player in ticket.players:
        value = number_of(player, attribute)
        if value is None:
            return None
        values.append(value)
    return aggregate(values, how) if values else None


class Side:
    """One team of a candidate match.

    Attributes:
        name: as in the result: `side-1`.
        kind: the pool's team.
        entries: the tickets in it.
        present: the players who are there already (backfill).
        size: players, those present included.
    """

    __slots__ = ("entries", "kind", "name", "present", "size")

    def __init__(self, name: str, kind: Team, entries: tuple[Entry, ...] = (), present: tuple[Player, ...] = ()) -> None:
        self.name = name
        self.kind = kind
        self.entries = entries
        self.present = present
        self.size = len(present) + sum(entry.size for entry in entries)

    def filled(self, entries: tuple[Entry, ...]) -> "Side":
        """The same team with these tickets."""
        return Side(self.name, self.kind, entries, self.present)


def empty_sides(rules: PoolRules) -> tuple[Side, ...]:
    """The teams of an empty match, in the pool's order; numbered from 1 where the quantity is over one."""
    return tuple(
        Side(f"{team.name}-{i + 1}" if team.quantity > 1 else team.name, team) for team in rules.teams for i in range(team.quantity)
    )
