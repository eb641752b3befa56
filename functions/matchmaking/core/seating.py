"""A match that is being seated, for pools that are choosy about teams: roles, comparisons of single teams, counts.

A group of tickets that were picked by rating alone seldom comes out when one place in five needs a rare role. So each ticket is seated as
it is picked: in the team that the fill order names (the team furthest below its minimum first, then the one with most open places), or in
another; if none takes it, one ticket that sits already may move. Whoever cannot be seated so that the teams can still be completed is
passed over, and so are all who are like that one (`Likeness`) until somebody else has been seated.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from .candidate import Entry, Side
from .evaluate import Frame, named_teams_compare
from .pool import ComparisonRule, CountRule, Team, TeamComparisonRule
from .roles import fits
from .team_measures import count_can_hold, numbers_compare
from .ticket import Player
from .windows import RuleSet

# Whether a rule can still hold when so many players more join; for rules between or within teams that say so before the teams are full.
CAN_HOLD: dict[type, Callable[[Frame, Any, Sequence[Side], int], bool]] = {
    ComparisonRule: lambda _frame, rule, sides, _coming: named_teams_compare(rule, sides),
    CountRule: lambda _frame, rule, sides, coming: count_can_hold(rule, sides, coming),
    TeamComparisonRule: lambda _frame, rule, sides, _coming: numbers_compare(rule, sides),
}


class Likeness:
    """Tells tickets apart by what the teams' rules look at, and by nothing else.

    Attributes:
        matters: whether there are such rules. Preferences do not count: they keep nobody out of a team.
    """

    def __init__(self, frame: Frame) -> None:
        rules = [rule for rule in frame.rules.rules if type(rule) in CAN_HOLD and (not isinstance(rule, ComparisonRule) or rule.teams)]
        hard_roles = any(quota.weight is None for team in frame.rules.teams for quota in team.roles)
        self.matters = hard_roles or any(rule.weight is None for rule in rules)
        self._attributes = sorted({rule.attribute for rule in rules if isinstance(rule, ComparisonRule | CountRule)})
        self._attributes += [rule.other_attribute for rule in rules if isinstance(rule, TeamComparisonRule)]
        self._known: dict[str, Hashable] = {}
        self._sits: dict[tuple[Hashable, str, int], bool] = {}

    def of(self, entry: Entry) -> Hashable:
        """The same for tickets that every team takes alike."""
        found = self._known.get(entry.ticket.id)
        if found is None:
            found = self._known[entry.ticket.id] = tuple(
                (player.roles, *(_hashable(player.attributes.get(name)) for name in self._attributes)) for player in entry.ticket.players
            )
        return found

    def sits(self, entry: Entry, kind: Team, rules: RuleSet) -> bool:
        """Whether the ticket alone keeps the hard comparisons of a kind of team."""
        key = (self.of(entry), kind.name, id(rules))
        if key not in self._sits:
            side = (Side(kind.name, kind, (entry,)),)
            compared = [rule for rule in rules.rules if isinstance(rule, ComparisonRule) and rule.weight is None]
            self._sits[key] = all(named_teams_compare(rule, side) for rule in compared)
        return self._sits[key]


def _hashable(value: float | str | list[str] | None) -> Hashable:
    return tuple(value) if isinstance(value, list) else value


class Seats:
    """Teams that fill.

    Args:
        sides: empty, or with players present.
        in_force: the rules at the match's age.
        size: players that are to join in all.
    """

    def __init__(self, frame: Frame, sides: Sequence[Side], in_force: RuleSet, size: int, likeness: Likeness) -> None:
        self.sides = tuple(sides)
        self.players = 0
        self._frame, self._in_force = frame, in_force
        self._rules = [rule for rule in in_force.rules if rule.weight is None and type(rule) in CAN_HOLD]
        self._left = size
        self._likeness = likeness
        self._refused: set[Hashable] = set()

    def refuses(self, entry: Entry) -> bool:
        """Whether one like this ticket was refused since somebody was last seated."""
        return self._likeness.of(entry) in self._refused

    def take(self, entry: Entry) -> bool:
        """Seat a ticket; False if the teams cannot be completed with it."""
        like = self._likeness.of(entry)
        if entry.size > self._left or like in self._refused:
            return False
        self._left -= entry.size
        order = fill_order(self.sides, self._in_force.minimums)
        if self._seat(entry, order) or self._make_room(entry, order):
            self.players += entry.size
            self._refused.clear()
            return True
        self._left += entry.size
        self._refused.add(like)
        return False

    def _seat(self, entry: Entry, order: Sequence[int]) -> bool:
        for i in order:
            side = self.sides[i]
            if side.size + entry.size <= side.kind.max_players and self._holds({i: side.filled((*side.entries, entry))}):
                return True
        return False

    def _make_room(self, entry: Entry, order: Sequence[int]) -> bool:
        """Let one who sits in a team that would take the ticket move to another team."""
        for i in order:
            side = self.sides[i]
            tried = set()
            for moved in side.entries:
                like = self._likeness.of(moved)
                if like in tried or side.size - moved.size + entry.size > side.kind.max_players:
                    continue
                tried.add(like)
                here = side.filled((*(other for other in side.entries if other is not moved), entry))
                if any(j != i and self._moved(moved, j, {i: here}) for j in order):
                    return True
        return False

    def _moved(self, entry: Entry, to: int, changed: dict[int, Side]) -> bool:
        side = self.sides[to]
        return side.size + entry.size <= side.kind.max_players and self._holds({**changed, to: side.filled((*side.entries, entry))})

    def _holds(self, changed: dict[int, Side]) -> bool:
        """Take these teams over if the rules can still hold with them."""
        if not all(roles_possible(side, self._in_force, self._left) for side in changed.values()):
            return False
        sides = tuple(changed.get(i, side) for i, side in enumerate(self.sides))
        if not all(CAN_HOLD[type(rule)](self._frame, rule, sides, self._left) for rule in self._rules):
            return False
        self.sides = sides
        return True


def enough_of_each(frame: Frame, sides: Sequence[Side], entries: Sequence[Entry], seed: Entry, likeness: Likeness) -> bool:
    """Whether there are players enough who may sit in each kind of team, and who take each role that it must have.

    What is too few by itself need not be searched for. Asked by the rules at the seed's age and at the oldest's, whichever are milder.
    """
    possible = (frame.schedule.at(seed.age), frame.schedule.at(max(entry.age for entry in entries)))
    for kind in {side.kind.name: side.kind for side in sides}.values():
        teams = [side for side in sides if side.kind is kind]
        needed = sum(max(0, min(rules.minimums[kind.name] for rules in possible) - side.size) for side in teams)
        if needed and sum(entry.size for entry in entries if any(likeness.sits(entry, kind, rules) for rules in possible)) < needed:
            return False
        if any(side.present for side in teams):
            continue
        for name in {quota.name for quota in kind.roles}:
            least = min(_least_of_role(rules, kind.name, name) for rules in possible) * len(teams)
            if least and sum(not player.roles or name in player.roles for entry in entries for player in entry.ticket.players) < least:
                return False
    return True


def _least_of_role(rules: RuleSet, team: str, role: str) -> int:
    return max((quota.min for quota in rules.quotas[team] if quota.name == role and quota.weight is None), default=0)


def fill_order(sides: Sequence[Side], minimums: dict[str, int]) -> list[int]:
    """Where the next ticket goes: the team furthest below its minimum first, then the one with most open places."""
    return sorted(
        range(len(sides)),
        key=lambda i: (-max(0, minimums[sides[i].kind.name] - sides[i].size), sides[i].size - sides[i].kind.max_players, i),
    )


def roles_possible(side: Side, in_force: RuleSet, coming: int) -> bool:
    """Whether the hard quotas can still hold once the team is full: those who must have a role have one, and places are left for the minimums.

    Args:
        coming: players who may still join the match.
    """
    quotas = [quota for quota in in_force.quotas[side.kind.name] if quota.weight is None]
    if not quotas:
        return True
    players: list[Player] = [*side.present, *(player for entry in side.entries for player in entry.ticket.players)]
    open_places = min(coming, side.kind.max_players - len(players))
    return fits([*players, *(Player("") for _ in range(open_places))], quotas)
