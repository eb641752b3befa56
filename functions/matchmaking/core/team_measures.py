"""The rules about the make-up of teams: their sizes, how many players of a kind they hold, one team's numbers against another's.

`evaluate` asks for each how far it is broken in a full match; `seating` asks, while teams fill, whether it can still hold.
"""

import math
from collections.abc import Iterable, Sequence

from .candidate import Side, number_of
from .pool import CountRule, TeamComparisonRule, TeamSizeRule
from .ticket import Player

BROKEN = 1.0  # how far a yes-or-no rule is broken


def ordered(operator: str, sign: int) -> bool:
    """Whether an operator admits this order: negative for less, 0 for equal, positive for more."""
    return {"=": sign == 0, "!=": sign != 0, "<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0}[operator]


def size_difference(rule: TeamSizeRule, sides: Sequence[Side]) -> int:
    """By how many players the teams that the rule concerns differ."""
    sizes = [side.size for side in sides if not rule.teams or side.kind.name in rule.teams]
    return max(sizes, default=0) - min(sizes, default=0)


def teams_are_sized(rule: TeamSizeRule, sides: Sequence[Side]) -> float:
    """How far the teams' sizes are apart beyond what the rule admits."""
    return float(max(0, size_difference(rule, sides) - rule.max_difference))


def size_bounds(sides: Sequence[Side], rules: Iterable[object], joining: int) -> list[tuple[int, int]]:
    """The fewest and the most players that each team can have in the end, by its places and the hard rules about sizes.

    Args:
        joining: players that join all teams together.
    """
    bounds = [(0, side.kind.max_players) for side in sides]
    total = joining + sum(len(side.present) for side in sides)
    for rule in rules:
        if (
            not isinstance(rule, TeamSizeRule)
            or rule.weight is not None
            or (rule.teams and {side.kind.name for side in sides} - {*rule.teams})
        ):
            continue
        others = (len(sides) - 1) * rule.max_difference
        most, least = (total + others) // len(sides), -((others - total) // len(sides))
        bounds = [(max(low, least), min(high, most)) for low, high in bounds]
    return bounds


def _is_counted(rule: CountRule, player: Player) -> bool:
    value = player.attributes.get(rule.attribute)
    return rule.value in value if isinstance(value, list) else value == rule.value


def _players(side: Side) -> list[Player]:
    return [*side.present, *(player for entry in side.entries for player in entry.ticket.players)]


def counted(rule: CountRule, players: Iterable[Player]) -> int:
    """How many of these players the rule counts."""
    return sum(_is_counted(rule, player) for player in players)


def _counts(rule: CountRule, sides: Sequence[Side]) -> list[int]:
    """Of the whole match, or of each of the teams that the rule names."""
    if rule.teams:
        return [counted(rule, _players(side)) for side in sides if side.kind.name in rule.teams]
    return [sum(counted(rule, _players(side)) for side in sides)]


def counts_hold(rule: CountRule, sides: Sequence[Side]) -> float:
    """How many players too many or too few are of the kind; whether a whole match has too many is asked of the group."""
    if not rule.teams:
        return float(max(0, rule.min - _counts(rule, sides)[0]))
    most = math.inf if rule.max is None else rule.max
    return float(max((max(rule.min - count, count - most, 0) for count in _counts(rule, sides)), default=0))


def count_can_hold(rule: CountRule, sides: Sequence[Side], coming: int) -> bool:
    """Whether not too many are of the kind already, and enough may still come."""
    most = math.inf if rule.max is None else rule.max
    if any(count > most for count in _counts(rule, sides)):
        return False
    if not rule.teams:
        return _counts(rule, sides)[0] + coming >= rule.min
    open_places = [min(coming, side.kind.max_players - side.size) for side in sides if side.kind.name in rule.teams]
    return all(count + places >= rule.min for count, places in zip(_counts(rule, sides), open_places, strict=True))


def numbers_compare(rule: TeamComparisonRule, sides: Sequence[Side]) -> bool:
    """Whether one team's number stands to the other's as the rule says; so it does as long as one of them has no players."""
    own = [_number(rule.attribute, rule.of, side) for side in sides if side.kind.name == rule.team]
    theirs = [_number(rule.other_attribute, rule.other_of, side) for side in sides if side.kind.name == rule.other_team]
    return all(ordered(rule.operator, (a > b) - (a < b)) for a in own for b in theirs if a is not None and b is not None)


def teams_compare(rule: TeamComparisonRule, sides: Sequence[Side]) -> float:
    """Broken or not."""
    return 0.0 if numbers_compare(rule, sides) else BROKEN


def _number(attribute: str, how: str, side: Side) -> float | None:
    values = [value for player in _players(side) if (value := number_of(player, attribute)) is not None]
    if not values:
        return None
    return {"average": math.fsum(values) / len(values), "max": max(values), "min": min(values), "sum": math.fsum(values)}[how]
