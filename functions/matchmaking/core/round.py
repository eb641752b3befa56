"""What a round returns: matches, and for every ticket left waiting the reason why."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from .ticket import Ticket


class TeamResult(Struct, frozen=True):
    """One team of a proposed match.

    Attributes:
        name: the team's name in the pool; with a quantity over one, numbered from 1: `side-1`, `side-2`.
        tickets: the tickets whose players form it.
        win_chance: predicted probability that this team wins, 0 to 1; the teams' sum is 1.
    """

    name: str
    tickets: tuple[Ticket, ...]
    win_chance: float = 0.0


class Match(Struct, frozen=True):
    """Tickets put together.

    Attributes:
        teams: in the pool's order. Attributes that a ticket's players lack are there as the pool's `attributes` say.
        region: where it is played.
        quality: 0 (worst that the rules allowed) to 1 (perfect).
        gap: the greatest difference between two players' ratings.
        imbalance: the greatest difference between two teams' average ratings.
        why: why these tickets, one sentence for people.
    """

    teams: tuple[TeamResult, ...]
    region: str
    quality: float = 1.0
    gap: float = 0.0
    imbalance: float = 0.0
    why: str = ""

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """All its tickets, in the teams' order."""
        return tuple(ticket for team in self.teams for ticket in team.tickets)


class Reason(Struct, frozen=True):
    """Why a ticket still waits.

    Attributes:
        rule: the rule that blocked most candidates; `players` if there are too few, `suspended` if the pool is.
        blocked: how many candidates each rule blocked.
        windows: the ticket's current values of the rules that expand: target → value.
        next_change: seconds until its windows widen next; None if they never do again.
    """

    rule: str
    blocked: dict[str, int] = {}
    windows: dict[str, float] = {}
    next_change: float | None = None


class Round(Struct, frozen=True):
    """One pass over a queue.

    Attributes:
        matches: no ticket is in two of them. A sequence that may build its values when asked.
        reasons: ticket id → reason, for each ticket that is in no match. A mapping that may compute its values when asked.
        poisoned: ticket id → what is wrong with it, for tickets that no round can take (a NaN, a party too large).
    """

    matches: Sequence[Match]
    reasons: Mapping[str, Reason]
    poisoned: Mapping[str, str] = {}
