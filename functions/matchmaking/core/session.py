"""The session: the life of a match after it was found. Its states and transitions are one table, here; what else a transition does is told in `session_step.py`
and `session_play.py`.

A session is an immutable value. It carries all that its life needs (the policy of its pool as it was when the match was made, the tickets as they were
committed), so that whoever meets it can go on with it: a process may die between any two steps.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct

from .errors import MatchmakingError
from .pool import PoolRules, Rating
from .round import Match
from .ticket import Ticket

Status: TypeAlias = Literal["proposed", "accepted", "allocating", "ready", "active", "completed", "cancelled", "expired", "abandoned"]
OVER: frozenset[Status] = frozenset({"completed", "cancelled", "expired", "abandoned"})
PLAYED: frozenset[Status] = frozenset({"ready", "active"})  # a server may speak

ALLOCATE_SECONDS = 30.0  # within which a server must be found, all attempts together
FILL_SIGN_EVERY = 5.0  # s between signs of life of a backfill ticket; below every sensible reconnect grace
UNREPORTED_SECONDS = 600.0  # how long a match that nobody serves is remembered


class Transition(NamedTuple):
    """One row of the table: on `event`, a session in one of `sources` becomes `target`."""

    event: str
    sources: tuple[Status, ...]
    target: Status
    why: str


TABLE: tuple[Transition, ...] = (
    Transition("found", (), "proposed", "the pool asks for a ready check"),
    Transition("found_without_check", (), "accepted", "the pool asks for a server, but for no ready check"),
    Transition("found_simple", (), "active", "the pool asks for neither"),
    Transition("all_accepted", ("proposed",), "accepted", "every player accepted in time"),
    Transition("declined", ("proposed",), "cancelled", "a player declined"),
    Transition("accept_timeout", ("proposed",), "cancelled", "a player did not answer in time"),
    Transition("no_server_needed", ("accepted",), "active", "the pool's allocation is `none`"),
    Transition("allocation_started", ("accepted", "allocating"), "allocating", "an attempt to find a server begins"),
    Transition("allocated", ("allocating",), "ready", "a server is there"),
    Transition("allocation_failed", ("accepted", "allocating"), "cancelled", "no server could be found in time"),
    Transition("reported", ("ready",), "active", "the server reported for the first time"),
    Transition("ready_timeout", ("ready",), "cancelled", "the server never reported"),
    Transition("result", ("ready", "active"), "completed", "the server posted the result"),
    Transition("called_off", ("ready", "active"), "abandoned", "the server gave the match up without a result"),
    Transition("everybody_left", ("ready", "active"), "abandoned", "no player is left"),
    Transition("duration", ("active",), "expired", "the longest duration is over"),
    Transition("cancel", ("proposed", "accepted", "allocating", "ready", "active"), "cancelled", "an operator or the server cancelled it"),
)
_BY_EVENT = {row.event: row for row in TABLE}


class SessionTableError(MatchmakingError):
    """A transition that the table does not have; a bug."""


def target(event: str, source: Status | None) -> Status:
    """Where a transition leads.

    Raises:
        SessionTableError: the table does not have it.
    """
    row = _BY_EVENT[event]
    if source not in row.sources and not (source is None and not row.sources):
        raise SessionTableError(f"a session that is {source} knows no `{event}`")
    return row.target


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    for row in TABLE:
        lines += [f"    {source} --> {row.target}: {row.event}" for source in row.sources or ("[*]",)]
    lines += [f"    {status} --> [*]" for status in sorted(OVER)]
    return "\n".join(lines)


class Policy(Struct, frozen=True, omit_defaults=True):
    """What the pool said when the match was made; seconds.

    Attributes:
        acceptance: how long players have to accept; 0: no ready check.
        head_start: of the tickets that go back into the queue.
    """

    acceptance: float = 0.0
    cooldowns: tuple[float, ...] = ()
    allocation: Literal["none", "webhook", "agones"] = "none"
    ready: float = 30.0
    duration: float = 2700.0
    grace: float = 60.0
    head_start: float = 30.0
    backfill: Literal["auto", "manual", "off"] = "manual"
    backfill_head_start: float = 60.0
    min_remaining: float = 120.0
    rating: Rating = Rating()


class Seat(Struct, frozen=True, omit_defaults=True):
    """One player's part in a session.

    Attributes:
        away: since when the player is disconnected from the game, seconds since the epoch; 0: is not.
        left: did not come back in time.
    """

    player: str
    team: str
    ticket: str
    accepted: bool = False
    away: float = 0.0
    left: bool = False


class Result(Struct, frozen=True, omit_defaults=True):
    """How a match ended: each team's place (1 is best, equal places are a draw), and who had given up."""

    ranks: dict[str, int]
    abandoned: tuple[str, ...] = ()


class Session(Struct, frozen=True, omit_defaults=True, tag="session"):
    """A match's session.

    Attributes:
        id: the match's.
        created: when the match was committed, seconds since the epoch.
        tickets: as they were committed.
        due: what happens when, if nothing else does before: name of a deadline → seconds since the epoch.
        holds: whether its players can be in no other match.
        attempts: to find a server, so far.
        connection: the server's, as JSON.
        filling: the id of the backfill ticket that waits for more players, if one does.
        reason: why it was cancelled.
    """

    id: str
    pool: str
    region: str
    mode: str
    status: Status
    created: float
    seats: tuple[Seat, ...]
    tickets: tuple[Ticket, ...]
    policy: Policy
    due: dict[str, float]
    holds: bool = False
    quality: float = 1.0
    gap: float = 0.0
    attempts: int = 0
    connection: str = ""
    filling: str = ""
    fillings: int = 0
    result: Result | None = None
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in OVER

    @property
    def teams(self) -> tuple[str, ...]:
        """The teams' names, in the match's order."""
        return tuple(dict.fromkeys(seat.team for seat in self.seats))

    @property
    def players(self) -> tuple[str, ...]:
        """Who is still in it."""
        return tuple(seat.player for seat in self.seats if not seat.left)

    @property
    def silent(self) -> frozenset[str]:
        """Who has not accepted."""
        return frozenset(seat.player for seat in self.seats if not seat.accepted)

    def seat(self, player: str) -> Seat | None:
        """The player's seat, if the player is in it."""
        return next((seat for seat in self.seats if seat.player == player), None)

    def next_look(self, now: float) -> float | None:
        """When somebody must look at it next, seconds since the epoch; None: never."""
        return min([*self.due.values(), *([now + FILL_SIGN_EVERY] if self.filling else [])], default=None)

    def wants_server(self, now: float) -> bool:
        """Whether the next attempt to find a server is due."""
        return self.status in {"accepted", "allocating"} and self.due["attempt"] <= now


class Arrival(Struct, frozen=True, omit_defaults=True, tag="arrival"):
    """Players for a running match: what a match with a backfill ticket makes instead of a session.

    Attributes:
        filled: the backfill ticket's id.
    """

    match: str
    filled: str
    seats: tuple[Seat, ...]
    tickets: tuple[Ticket, ...]


def policy_of(rules: PoolRules) -> Policy:
    """What a session needs of its pool's rules."""
    check = rules.acceptance
    return Policy(
        max(1.0, float(check.timeout)) if check.required else 0.0,
        tuple(float(step) for step in check.cooldowns),
        rules.allocation.type,
        float(rules.session.ready_timeout),
        float(rules.session.max_duration),
        float(rules.session.reconnect_grace),
        float(rules.priority.requeued_head_start),
        rules.backfill.mode,
        float(rules.priority.backfill_head_start),
        float(rules.backfill.min_remaining),
        rules.rating,
    )


def opened(match_id: str, pool: str, match: Match, rules: PoolRules, now: float, policy: Policy | None = None) -> Session | Arrival:
    """What becomes of a match: a session, or players for the one that its backfill ticket speaks of.

    Args:
        match_id: a new one.
        now: when it is committed.
        policy: `policy_of(rules)`, if it is known already.
    """
    seats = tuple(Seat(player.id, team.name, ticket.id) for team in match.teams for ticket in team.tickets for player in ticket.players)
    tickets = tuple(ticket for ticket in match.tickets if ticket.backfill is None)
    for ticket in match.tickets:
        if ticket.backfill is not None:
            return Arrival(ticket.backfill.match, ticket.id, seats, tickets)
    policy = policy or policy_of(rules)
    if policy.acceptance:
        status, due = target("found", None), {"accept": now + policy.acceptance}
    elif policy.allocation != "none":
        status, due = target("found_without_check", None), {"allocate": now + ALLOCATE_SECONDS, "attempt": now}
    else:
        status, due = target("found_simple", None), {}
    mode = tickets[0].mode
    return Session(
        match_id,
        pool,
        match.region,
        mode,
        status,
        now,
        seats,
        tickets,
        policy,
        due,
        bool(due),
        round(match.quality, 4),
        round(match.gap, 2),
    )


def ranks_of(teams: Sequence[str], winner: str | None) -> dict[str, int]:
    """Everybody's place if one team wins; a draw without a winner."""
    return {team: 1 if winner in (None, team) else 2 for team in teams}
